"""Timeout and priority of a client's requests, and what it shows to the server."""

from dataclasses import dataclass, field

from clients.credentials import Credentials
from clients.timeout import checked_timeout

_BULK = 2  # the lower of the router's two priority levels


@dataclass(frozen=True)
class Terms:
    """timeout: seconds that a request may take. bulk: whether it yields to all other requests.

    credentials: what the client shows to the server.
    """

    timeout: float
    bulk: bool
    credentials: Credentials = field(default_factory=Credentials)

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", checked_timeout(self.timeout))

    @property
    def parameters(self) -> dict[str, int]:
        """Triton's request parameters. Over HTTP Triton does not see a caller leave, so the timeout tells it."""
        timeout = {"timeout": max(1, round(self.timeout * 1e6))}  # microseconds
        return timeout | {"priority": _BULK} if self.bulk else timeout
