"""The three ways to the router."""

from typing import Literal

from clients.address import Address, parse_address
from clients.errors import RequestRejected

# stream is gRPC too: one bidirectional stream for each caller.
Protocol = Literal["grpc", "http", "stream"]

MODELS: dict[Protocol, str] = {"grpc": "nlu", "http": "nlu", "stream": "nlu_stream"}


def address_for(protocol: Protocol, url: str) -> Address:
    """Returns the address in `url`. Raises RequestRejected if it is not one for this protocol."""
    address = parse_address(url)
    if (address.transport == "http") != (protocol == "http"):
        form = "http://host:8000 or https://host:8000" if protocol == "http" else "host:8001 or grpcs://host:8001"
        raise RequestRejected(f"'{url}' is not an address for a load over {protocol}: write {form}")
    return address
