"""On what terms a client's requests are served."""

from dataclasses import dataclass

from clients.timeout import checked_timeout

_BULK = 2  # the lower of the router's two priority levels


@dataclass(frozen=True)
class Terms:
    """timeout: seconds that a request may take. bulk: it waits until no other request does."""

    timeout: float
    bulk: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", checked_timeout(self.timeout))

    @property
    def parameters(self) -> dict[str, int]:
        """Triton's request parameters: over HTTP it does not see that a caller is gone, and so is told when."""
        timeout = {"timeout": max(1, round(self.timeout * 1e6))}  # microseconds
        return timeout | {"priority": _BULK} if self.bulk else timeout
