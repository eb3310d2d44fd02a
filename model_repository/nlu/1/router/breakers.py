"""Breakers: a model whose process has died is not asked until it answers again.

Triton takes about a second to fail a call of a dead process, and longer if several calls wait for it. Without breakers
each request would wait that long, and the tasks that are well with it.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from router.unavailable import DeadError, NotAskedError, NotLoadedError

Result = TypeVar("Result")
Called = tuple[str, int]  # the Triton model and its version

_FIRST_PAUSE = 0.25  # seconds until a dead model is tried again
_LONGEST_PAUSE = 3.0


class BreakerMetrics(Protocol):
    """Where breakers count."""

    def set_breaker(self, model: str, version: int, is_open: bool) -> None:
        """Says whether the version is asked at present."""

    def count_refused(self, model: str, version: int) -> None:
        """Adds a call that was not made."""


class _Breaker:
    """An open one. again: the time from which the next call is tried, by nobody who waits for it."""

    def __init__(self) -> None:
        self.pause = _FIRST_PAUSE
        self.again = time.monotonic() + self.pause
        self.is_trying = False

    def wait_longer(self) -> None:
        self.pause = min(2 * self.pause, _LONGEST_PAUSE)
        self.try_later()

    def try_later(self) -> None:
        self.again = time.monotonic() + self.pause
        self.is_trying = False


class Breakers:
    """One for each version of a model that is called. Safe to share between threads."""

    def __init__(self, metrics: BreakerMetrics) -> None:
        self._metrics = metrics
        self._open: dict[Called, _Breaker] = {}
        self._lock = threading.Lock()

    def call(self, model: str, version: int, infer: Callable[[], Result]) -> Result:
        """Returns what `infer` returns, which calls this version of the model.

        Raises what it raises, and NotAskedError without calling it if the process was dead a moment ago. After a pause
        a call is made in a thread of its own, for which nobody waits; if it succeeds, further calls are made again.
        """
        called = (model, version)
        if called in self._open:
            self._refuse(called, infer)
        try:
            return infer()
        except DeadError:
            self.open(called)
            raise

    def open(self, called: Called) -> None:
        """Refuses calls of this version from now on."""
        with self._lock:
            if called in self._open:
                return
            self._open[called] = _Breaker()
        self._metrics.set_breaker(*called, is_open=True)

    def keep(self, known: Collection[Called]) -> None:
        """Forgets the versions that are not among `known`: they are not asked any more."""
        for called in self._open.keys() - set(known):
            self._close(called)

    def _refuse(self, called: Called, infer: Callable[[], object]) -> None:
        with self._lock:
            breaker = self._open.get(called)
            if breaker is None:  # closed meanwhile
                return
            tries = not breaker.is_trying and time.monotonic() >= breaker.again
            breaker.is_trying = breaker.is_trying or tries
        if tries:
            threading.Thread(target=self._try, args=(called, breaker, infer), name="try", daemon=True).start()
        self._metrics.count_refused(*called)
        raise NotAskedError(f"{called[0]} has died and is being brought back")

    def _try(self, called: Called, breaker: _Breaker, infer: Callable[[], object]) -> None:
        try:
            infer()
        except DeadError:
            breaker.wait_longer()
        except NotLoadedError:  # it is being brought back just now
            breaker.try_later()
        except Exception:  # it answers, if only with an error: whoever asks next is told
            self._close(called)
        else:
            self._close(called)

    def _close(self, called: Called) -> None:
        with self._lock:
            closed = self._open.pop(called, None)
        if closed is not None:
            self._metrics.set_breaker(*called, is_open=False)
