"""Timeout and priority of a client's requests, and what it shows to the server."""

from dataclasses import dataclass, field, replace
from typing import Self

from clients.credentials import Credentials
from clients.errors import RequestRejected
from clients.timeout import checked_timeout

_READY_SECONDS = 1.0
_BULK = 2  # the lower of the router's two priority levels
_CONNECT_SECONDS = 2.0  # where another server can be asked instead


@dataclass(frozen=True)
class Terms:
    """timeout: seconds that a request may take. bulk: whether it yields to all other requests.

    credentials: what the client shows to the server.
    connect_seconds: in which a connection must be made; None leaves it to the transport.
    """

    timeout: float
    bulk: bool
    credentials: Credentials = field(default_factory=Credentials)
    connect_seconds: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", checked_timeout(self.timeout))

    def among(self, servers: int) -> Self:
        """Returns these terms for one of so many servers."""
        return replace(self, connect_seconds=min(_CONNECT_SECONDS, self.timeout)) if servers > 1 else self

    @property
    def ready_seconds(self) -> float:
        """In which a server that was left out must say that it is ready. A caller waits for it."""
        return min(_READY_SECONDS, self.timeout)

    def seconds(self, left: float | None) -> float:
        """The timeout of a request. left: what is left of it; None is all."""
        return self.timeout if left is None else max(left, 1e-3)

    def parameters(self, left: float | None = None) -> dict[str, int]:
        """Triton's request parameters. Over HTTP Triton does not see a caller leave, so the timeout tells it."""
        timeout = {"timeout": max(1, round(self.seconds(left) * 1e6))}  # microseconds
        return timeout | {"priority": _BULK} if self.bulk else timeout


def checked_retries(retries: int | None) -> int | None:
    """Returns the number of retries. Raises RequestRejected unless it is None, 0 or more."""
    if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int) or retries < 0):
        raise RequestRejected(f"retries must be a number of times, 0 or more, not {retries!r}")
    return retries
