"""One request before a load, so that a wrong server or request is named at once."""

from collections.abc import Sequence

from clients.client import Client
from clients.credentials import Credentials
from clients.load_test.protocol import Protocol, addresses_for
from clients.load_test.texts import Row


def probe(url: str, protocol: Protocol, row: Row, tasks: Sequence[str] | None) -> None:
    """Asks the router of each server once, as the load will. Raises EspalierError as Client does."""
    text, pair = row
    for address in addresses_for(protocol, url):
        credentials = Credentials.of_command_line(address)
        with Client(address.url, **credentials.arguments) as client:
            if protocol == "stream":
                for _ in client.stream(text, pair, tasks):
                    pass
            else:
                client.predict(text, pair, tasks)
