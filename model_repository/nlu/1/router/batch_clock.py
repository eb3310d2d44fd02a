"""By when a router should have got on with its batch, for the supervisor."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from step_clock import StepClock

_OWN_SECONDS = 8.0  # of the router's own work between two calls: a hundred times what a batch of long texts takes
# A trunk or branch that hangs is found by its own clock; one that is asked may also wait for its turn.
_CALL_SECONDS = 60.0


class BatchClock:
    """Of one router process. Calls may be made from several threads."""

    def __init__(self) -> None:
        self._clock = StepClock()
        self._lock = threading.Lock()
        self._calls = 0
        self._runs = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Around the work on one batch."""
        with self._lock:
            self._runs = True
            self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._runs = False
                self._clock.end()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around a call of a trunk or branch. One that was abandoned may end long after its batch."""
        with self._lock:
            self._calls += 1
            self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._calls -= 1
                self._tell()

    def _tell(self) -> None:
        if self._runs:
            self._clock.begin(_CALL_SECONDS if self._calls else _OWN_SECONDS)
