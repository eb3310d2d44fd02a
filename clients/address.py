"""The addresses of one server or several, read from urls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from clients.errors import RequestRejected

# Those of `espalier serve`, which are Triton's own; https has one of its own, as it often leads to a load balancer.
_DEFAULT_PORT = {"grpc": 8001, "grpcs": 8001, "http": 8000, "https": 443}


@dataclass(frozen=True)
class Address:
    """A server's address; `url` is the text that the user gave, for messages. secure: over TLS.

    ip: the one of the host's addresses to connect to, if it has several (clients/resolution.py); the host stays the
    name that is in certificates and headers.
    """

    url: str
    transport: Literal["grpc", "http"]
    host: str
    port: int
    path: str = ""  # before /v2, for a server behind a reverse proxy; HTTP only
    secure: bool = False
    ip: str | None = None

    @property
    def target(self) -> str:
        """host:port, with the brackets that an IPv6 host needs there."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_addresses(urls: str | Sequence[str]) -> tuple[Address, ...]:
    """Reads the addresses of one server or several: a list of urls, or one text with commas between them.

    In a text with commas the scheme may stand at the first alone: `grpc://a:8001,b:8001`. One that is given twice
    counts once. Raises RequestRejected if one is no address, if there is none, or if they differ in transport or TLS.
    """
    if isinstance(urls, str):
        first, *others = (part.strip() for part in urls.split(","))
        scheme, separator, _ = first.rpartition("://")
        parts = [first, *(one if "://" in one else f"{scheme}{separator}{one}" for one in others if one)]
    else:
        parts = list(urls)
    addresses = tuple(dict.fromkeys(parse_address(part) for part in parts))
    if not addresses:
        raise RequestRejected("the list of servers is empty: give at least one address")
    kinds = {(address.transport, address.secure) for address in addresses}
    if len(kinds) > 1:
        raise RequestRejected(
            f"{addresses[0].url} and the other addresses are not of one kind: give all for gRPC or all for HTTP, and "
            "all with TLS or all without"
        )
    return addresses


def parse_address(url: str) -> Address:
    """Reads `host[:port]` or `grpc://host[:port]` (gRPC), or `http://host[:port][/path]` (HTTP).

    `grpcs://` and `https://` are the same over TLS.

    Raises RequestRejected if `url` is none of these.
    """
    try:
        parts = urlsplit(url if "://" in url else f"grpc://{url}")
        (parts.hostname or "").encode("idna")  # as it is looked up
    except ValueError:
        raise _bad(url, "its host is neither a name nor an IP address") from None
    try:
        port = parts.port
    except ValueError:
        raise _bad(url, "its port is not a number up to 65535") from None
    if parts.scheme not in _DEFAULT_PORT:
        raise _bad(url, f"'{parts.scheme}' is not supported")
    if not parts.hostname:
        raise _bad(url, "it has no host")
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or parts.username is not None or (path and parts.scheme.startswith("grpc")):
        raise _bad(url, "it holds more than a host and a port")
    transport: Literal["grpc", "http"] = "http" if parts.scheme.startswith("http") else "grpc"
    chosen = _DEFAULT_PORT[parts.scheme] if port is None else port
    return Address(url, transport, parts.hostname, chosen, path, parts.scheme in ("grpcs", "https"))


def _bad(url: str, why: str) -> RequestRejected:
    return RequestRejected(
        f"'{url}' is not a server address ({why}): write host:8001 for gRPC or http://host:8000 for HTTP "
        "(grpcs:// and https:// for TLS)"
    )
