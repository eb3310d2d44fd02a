"""TCP ports for the server's endpoints."""

import errno
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from build_tools.serving.errors import ServeError


def ipv4_address(host: str) -> str:
    """The address that `host` stands for: Triton's HTTP endpoint takes `localhost`, but then never answers.

    Raises:
        ServeError: the name cannot be resolved.
    """
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise ServeError(f"cannot listen on {host}: {error}") from error


def settle_ports(host: str, wanted: Mapping[str, int | None]) -> dict[str, int]:
    """A port on `host` for every endpoint in `wanted`: the one given there, or a free one where it is None.

    Raises:
        ServeError: a given port is in use, was given twice, or cannot be listened on.
    """
    given = [port for port in wanted.values() if port is not None]
    for name, port in wanted.items():
        if port is not None and given.count(port) > 1:
            raise ServeError(f"port {port} is given more than once: {name} needs a port of its own")
    with ExitStack() as stack:
        # All are held until all are chosen, the given ones first: a free one then is none of those.
        ordered = sorted(wanted, key=lambda name: wanted[name] is None)
        held = {name: stack.enter_context(_listening(host, wanted[name], name)) for name in ordered}
        return {name: held[name].getsockname()[1] for name in wanted}


def _listening(host: str, port: int | None, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Connections in TIME_WAIT, of a server that ended a moment ago, do not keep tritonserver from the port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port or 0))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"port {port} for {name} is in use on {host}: stop what uses it, or give another port"
            ) from error
        raise ServeError(f"cannot listen on {host}, port {port or 'any'}, for {name}: {error}") from error
    return listener
