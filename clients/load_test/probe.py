"""One request before a load, so that a wrong server or request is named at once."""

from collections.abc import Sequence

from clients.address import parse_address
from clients.client import Client
from clients.credentials import Credentials
from clients.load_test.protocol import Protocol
from clients.load_test.texts import Row


def probe(url: str, protocol: Protocol, row: Row, tasks: Sequence[str] | None) -> None:
    """Asks the router once, as the load will. Raises EspalierError as Client does."""
    text, pair = row
    credentials = Credentials.of_command_line(parse_address(url))
    with Client(url, **credentials.arguments) as client:
        if protocol == "stream":
            for _ in client.stream(text, pair, tasks):
                pass
        else:
            client.predict(text, pair, tasks)
