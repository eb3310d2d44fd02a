"""The proxy that the environment names for a server. A server on this machine never has one."""

import ipaddress
import os
import socket
from collections.abc import Sequence
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from clients.address import Address

# The variables in the order in which gRPC reads them.
_GRPC_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_GRPC_EXEMPTIONS = ("no_grpc_proxy", "no_proxy")


def proxy_for(address: Address) -> str | None:
    """Returns the proxy's url, or None if requests go to the server directly.

    Over HTTP `http_proxy` (`https_proxy` for https://) and `no_proxy` decide, over gRPC the variables that gRPC itself
    reads (https://github.com/grpc/grpc/blob/master/doc/environment_variables.md).
    """
    if is_loopback(address.host):
        return None
    if address.transport == "http":
        proxies = getproxies_environment()
        bypassed = proxy_bypass_environment(address.target, proxies)
        return None if bypassed else _as_url(proxies.get("https" if address.secure else "http"))
    if proxy_bypass_environment(address.target, {"no": _first_set(_GRPC_EXEMPTIONS) or ""}):
        return None
    return _as_url(_first_set(_GRPC_PROXIES))


def is_loopback(host: str) -> bool:
    """Whether this name or address is this machine's own: localhost, 127.0.0.0/8, ::1, or the unspecified address."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(name)
    except ValueError:
        try:
            ip = ipaddress.ip_address(socket.inet_aton(name))  # short forms such as 127.1
        except OSError:
            return False
    own = getattr(ip, "ipv4_mapped", None) or ip
    return own.is_loopback or own.is_unspecified


def described(address: Address) -> str:
    """The server's url for a message, with the proxy on the way to it, or which of the host's addresses it is."""
    if address.ip is not None:
        return f"{address.url} ({address.ip})"
    proxy = proxy_for(address)
    return address.url if proxy is None else f"{address.url} (through the proxy {without_credentials(proxy)})"


def without_credentials(proxy: str) -> str:
    """The proxy's url for a message."""
    scheme, _, rest = proxy.rpartition("://")
    return f"{scheme or 'http'}://{rest.rpartition('@')[2]}"


def _first_set(variables: Sequence[str]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)


def _as_url(proxy: str | None) -> str | None:
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
