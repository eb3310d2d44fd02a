"""The three ways to the router."""

from typing import Literal

from clients.address import Address, parse_addresses
from clients.errors import RequestRejected

# stream is gRPC too: one bidirectional stream for each caller.
Protocol = Literal["grpc", "http", "stream"]

MODELS: dict[Protocol, str] = {"grpc": "nlu", "http": "nlu", "stream": "nlu_stream"}


def addresses_for(protocol: Protocol, url: str) -> tuple[Address, ...]:
    """Returns the addresses in `url`, as Client reads it. Raises RequestRejected if they are not for this protocol."""
    addresses = parse_addresses(url)
    if (addresses[0].transport == "http") != (protocol == "http"):
        form = "http://host:8000 or https://host:8000" if protocol == "http" else "host:8001 or grpcs://host:8001"
        raise RequestRejected(f"'{url}' is not an address for a load over {protocol}: write {form}")
    return addresses
