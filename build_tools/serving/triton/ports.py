"""TCP ports for the server's endpoints."""

import errno
import random
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from build_tools.serving.errors import ServeError

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")  # source: ip(7)
_FIRST_FREE = 10_000
_TRIES = 50


def ipv4_address(host: str) -> str:
    """Returns the address of `host`. Given `localhost` itself, Triton's HTTP endpoint starts but never answers.

    Raises ServeError if the name cannot be resolved.
    """
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise ServeError(f"cannot listen on {host}: {error}") from error


def reachable(address: str) -> str:
    """Returns the address at which this machine reaches what listens on `address`."""
    return "127.0.0.1" if address == "0.0.0.0" else address


def choose_ports(host: str, wanted: Mapping[str, int | None]) -> dict[str, int]:
    """Returns a port on `host` for every endpoint in `wanted`: the given one, or a free one where it is None.

    Raises ServeError if a given port is in use, was given twice, or cannot be listened on.
    """
    given = [port for port in wanted.values() if port is not None]
    for name, port in wanted.items():
        if port is not None and given.count(port) > 1:
            raise ServeError(f"port {port} is given more than once: {name} needs a port of its own")
    with ExitStack() as stack:
        # All are held until all are chosen, the given ones first, so that no free port is one of them.
        ordered = sorted(wanted, key=lambda name: wanted[name] is None)
        held = {name: stack.enter_context(_listener(host, wanted[name], name)) for name in ordered}
        return {name: held[name].getsockname()[1] for name in wanted}


def _listener(host: str, port: int | None, name: str) -> socket.socket:
    if port is not None:
        return _listening(host, port, name)
    # Not one that the system gives to connections: until the server listens, in seconds, it might be given away.
    for _ in range(_TRIES):
        with suppress(ServeError):
            return _listening(host, random.randrange(_FIRST_FREE, _first_ephemeral()), name)
    return _listening(host, 0, name)


def _first_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = 0
    return first if first > 2 * _FIRST_FREE else 32_768  # Linux's default


def _listening(host: str, port: int, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As tritonserver does: connections in TIME_WAIT of an earlier server do not block the port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"port {port} for {name} is in use on {host}: stop the program that uses it, or give another port"
            ) from error
        raise ServeError(f"cannot listen on {host}, port {port or 'any'}, for {name}: {error}") from error
    return listener
