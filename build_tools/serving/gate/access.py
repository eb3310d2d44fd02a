"""Who asks, what they may ask, and when they are let in: what the gate needs to know of keys and of admission."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Caller:
    """Who sends a request.

    name: of its key, for logs and metrics; "" for who needs none. tasks: what it may ask; None is all.
    max_in_flight: its requests inside at once; None has no bound of its own. may_control: it has shown the control key.
    """

    name: str = ""
    tasks: frozenset[str] | None = None
    max_in_flight: int | None = None
    may_control: bool = False


class Access(Protocol):
    """Knows the callers."""

    def identify(self, authorization: str | None) -> Caller:
        """Returns the caller who sends this `authorization` header or metadata (None: it sends none).

        Raises RefusedError (UNAUTHENTICATED) for a key that is missing or unknown. Called for every request: fast.
        """

    def look(self) -> None:
        """Reads again what has changed on disk. Called some times a second."""


class Admission(Protocol):
    """Lets requests in."""

    def admit(self, caller: Caller, texts: int, size: int, seconds: float) -> AbstractAsyncContextManager[None]:
        """Returns the context in which the request is answered.

        texts: how many texts it has. size: bytes of its texts and pairs. seconds: until its deadline.
        Entering raises RefusedError: TOO_MANY over a bound of the caller, UNAVAILABLE if it cannot be answered in time.
        """


class OpenAccess:
    """No keys: everybody who reaches the gate may ask every task."""

    _anybody = Caller()

    def identify(self, authorization: str | None) -> Caller:  # noqa: ARG002, a key is not needed
        """See Access."""
        return self._anybody

    def look(self) -> None:
        """Does nothing."""
