"""Timeout and priority of a client's requests."""

from dataclasses import dataclass

from clients.timeout import checked_timeout

_BULK = 2  # the lower of the router's two priority levels


@dataclass(frozen=True)
class Terms:
    """timeout: seconds that a request may take. bulk: whether it yields to all other requests."""

    timeout: float
    bulk: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", checked_timeout(self.timeout))

    @property
    def parameters(self) -> dict[str, int]:
        """Triton's request parameters. Over HTTP Triton does not see a caller leave, so the timeout tells it."""
        timeout = {"timeout": max(1, round(self.timeout * 1e6))}  # microseconds
        return timeout | {"priority": _BULK} if self.bulk else timeout
