"""Breakers: a model whose process has died is not asked until it answers again.

Triton takes about a second to fail a call of a dead process, and longer if several calls wait for it. Without breakers
each request would wait that long, and the tasks that are well with it.
"""

import threading
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from router.batch_clock import BatchClock
from router.model_processes import ModelProcesses
from router.process_watch import Called, ProcessWatch
from router.unavailable import DeadError, NotAskedError, NotLoadedError
from router.work_group import AbandonedError

Result = TypeVar("Result")

_FIRST_PAUSE = 0.25  # seconds until a dead model is tried again
_LONGEST_PAUSE = 3.0


class BreakerMetrics(Protocol):
    """Where breakers count."""

    def set_breaker(self, model: str, version: int, is_open: bool) -> None:
        """Says whether the version is asked at present."""

    def count_refused(self, model: str, version: int) -> None:
        """Adds a call that was not made."""


class _Call:
    """A call under way. infer: makes it. abandon: answers in its place if the process dies meanwhile."""

    __slots__ = ("abandon", "infer", "is_abandoned")

    def __init__(self, infer: Callable[[], object], abandon: Callable[[DeadError], None] | None) -> None:
        self.infer = infer
        self.abandon = abandon
        self.is_abandoned = False


class _Breaker:
    """An open one. infer: a call with which the model is tried; None until somebody has asked for it."""

    def __init__(self, infer: Callable[[], object] | None) -> None:
        self.infer = infer
        self.closed = threading.Event()


class Breakers:
    """One for each version of a model that is called. Safe to share between threads."""

    def __init__(self, metrics: BreakerMetrics, clock: BatchClock, processes: ModelProcesses | None = None) -> None:
        self._metrics = metrics
        self._clock = clock
        self._processes = processes or ModelProcesses()
        self._watch = ProcessWatch(self._processes, self._ended, self._waiting)
        self._known: set[Called] | None = None  # None: all are
        self._open: dict[Called, _Breaker] = {}
        self._calls: dict[Called, set[_Call]] = {}
        self._lock = threading.Lock()

    def call(
        self,
        model: str,
        version: int,
        infer: Callable[[], Result],
        abandon: Callable[[DeadError], None] | None = None,
    ) -> Result:
        """Returns what `infer` returns, which calls this version of the model.

        Raises what it raises, and NotAskedError without calling it if the process was dead a moment ago. It is then
        tried again by itself, after pauses, until it answers. abandon: what to do at once, from another thread, if the
        process dies during the call; the call then ends later with AbandonedError.
        """
        called = (model, version)
        call = _Call(infer, abandon)
        with self._lock:
            breaker = self._open.get(called)
            if breaker is None:
                self._calls.setdefault(called, set()).add(call)
        if breaker is not None:
            breaker.infer = infer
            self._metrics.count_refused(model, version)
            raise NotAskedError(f"{model} has died and is being brought back")
        self._watch.add(called)
        try:
            with self._clock.call():
                result = infer()
        except DeadError as error:
            self._end(called, call)
            self._died(called, error, infer)
            raise
        except BaseException:
            self._end(called, call)
            raise
        self._end(called, call)
        return result

    def keep(self, known: Collection[Called]) -> None:
        """Forgets the versions that are not among `known`: they are not asked any more, and may end."""
        self._known = set(known)
        for called in self._open.keys() - self._known:
            self._close(called)

    def _end(self, called: Called, call: _Call) -> None:
        """Notes that a call has ended. Raises AbandonedError if it was answered for meanwhile."""
        with self._lock:
            self._calls[called].discard(call)
        if call.is_abandoned:
            raise AbandonedError

    def _waiting(self) -> list[Called]:
        with self._lock:
            return [called for called, calls in self._calls.items() if calls and called not in self._open]

    def _ended(self, called: Called) -> None:
        """Takes note that the process of a version has ended or stopped."""
        self._watch.forget(called)
        with self._lock:
            is_called = bool(self._calls.get(called))
        if is_called or self._known is None or called in self._known:
            self._died(called)

    def _died(self, called: Called, error: DeadError | None = None, infer: Callable[[], object] | None = None) -> None:
        """Refuses calls of this version from now on, and answers for those under way."""
        error = error or DeadError(f"{called[0]}: its process has ended or was stopped")
        with self._lock:
            abandoned = [call for call in self._calls.get(called, ()) if call.abandon and not call.is_abandoned]
            for call in abandoned:
                call.is_abandoned = True
                infer = infer or call.infer
            is_new = called not in self._open
            if is_new:
                breaker = self._open[called] = _Breaker(infer)
        for call in abandoned:
            if call.abandon is not None:
                call.abandon(error)
        if is_new:
            self._metrics.set_breaker(*called, is_open=True)
            threading.Thread(target=self._try, args=(called, breaker), name="try", daemon=True).start()

    def _try(self, called: Called, breaker: _Breaker) -> None:
        """Asks the version from time to time, and closes its breaker once it answers, if only with an error."""
        pause = _FIRST_PAUSE
        while not breaker.closed.wait(pause):
            if self._watch.has_seen(called) and not self._processes.can_answer(*called):
                continue  # without a call, which would take a second, and a core's share with it
            try:
                if breaker.infer is not None:
                    breaker.infer()
            except DeadError:
                pause = min(2 * pause, _LONGEST_PAUSE)
            except NotLoadedError:  # it is being brought back just now
                pause = _FIRST_PAUSE
            except Exception:
                self._close(called)
            else:
                self._close(called)

    def _close(self, called: Called) -> None:
        with self._lock:
            closed = self._open.pop(called, None)
        if closed is not None:
            closed.closed.set()
            self._watch.forget(called)  # it has other processes now
            self._metrics.set_breaker(*called, is_open=False)
