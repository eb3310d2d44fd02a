"""The attempts to bring models back: one at a time for each model, with pauses that grow."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from build_tools.serving.backoff import backoff
from build_tools.serving.watch.revival import Revival

_AT_ONCE = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_DRAIN_SECONDS = 10.0  # for the replaced processes to finish what they have begun
_WELL_SECONDS = 10.0  # a model that is lost again sooner was not really back
_IN_VAIN = 3  # attempts in a row


@dataclass
class _Attempts:
    """Of one model. running: the attempt that goes on now. old: the processes that it replaces.

    failed: in a row. back_at: since when the model is back.
    """

    running: Future[bool] | None = None
    old: frozenset[int] = frozenset()
    reason: str = ""
    failed: int = 0
    next_at: float = 0.0
    back_at: float | None = None


class RevivalAttempts:
    """Of all models of one Triton. Times are of time.monotonic()."""

    def __init__(self, revival: Revival, restarts: dict[str, int], say: Callable[[str, str], None]) -> None:
        """restarts: {model: how often it was brought back}, to add to. say: is given a model and what happened."""
        self._revival = revival
        self._restarts = restarts
        self._say = say
        self._threads = ThreadPoolExecutor(_AT_ONCE, "revive")
        self._attempts: dict[str, _Attempts] = {}
        self._replaced: dict[int, float] = {}  # processes of earlier loads that still live: since when

    def begin(self, model: str, reason: str, pids: Iterable[int], hangs: bool, works: bool, now: float) -> None:
        """Begins an attempt, unless one goes on, or it is too early for the next one.

        pids: the model's processes. hangs: whether they keep what they were asked, and so are killed. works: whether
        one of them still answers.
        """
        attempts = self._attempts.setdefault(model, _Attempts())
        if attempts.running is not None or now < attempts.next_at:
            return
        if attempts.back_at is not None:
            attempts.failed = 0 if now - attempts.back_at > _WELL_SECONDS else attempts.failed + 1
        attempts.reason = reason
        attempts.old = frozenset(pids)
        self._restarts[model] = self._restarts.get(model, 0) + 1
        self._say(model, f"{reason}: bringing it back")
        if hangs:
            for pid in attempts.old:  # else it never gives back its requests and its turn to compute
                _kill(pid)
        attempts.running = self._threads.submit(self._revival.revive, model, time.time_ns(), not works)

    def collect(self, now: float) -> list[str]:
        """Returns the models whose attempt has ended well since the last call."""
        ended_well = []
        for model, attempts in self._attempts.items():
            if attempts.running is None or not attempts.running.done():
                continue
            done, attempts.running = attempts.running, None
            error = done.exception()
            attempts.back_at = now if error is None else None
            attempts.failed += error is not None
            pause = backoff(_FIRST_PAUSE, attempts.failed, _LONGEST_PAUSE)
            attempts.next_at = now + pause
            if error is not None:
                attempts.reason = str(error)
                self._say(model, f"could not be brought back, next attempt in {pause:g} s: {error}")
                continue
            self._say(model, "is back" if done.result() else "is not needed any more")
            self._replaced |= dict.fromkeys(attempts.old, now)
            ended_well.append(model)
        return ended_well

    def end_replaced(self, living: set[int], now: float) -> None:
        """Ends processes that Triton has replaced. It does not end them itself if one of the same load has died."""
        for pid, since in list(self._replaced.items()):
            if pid not in living:
                del self._replaced[pid]
            elif now - since > _DRAIN_SECONDS:
                _kill(pid)

    def has_replaced(self, pid: int) -> bool:
        """Whether another process does this one's work now."""
        return pid in self._replaced

    def being_replaced(self, model: str) -> frozenset[int] | None:
        """The processes that the attempt replaces which goes on now; None if none does."""
        attempts = self._attempts.get(model)
        return None if attempts is None or attempts.running is None else attempts.old

    def in_vain(self, model: str) -> str | None:
        """Why the model could not be brought back several times in a row; None otherwise."""
        attempts = self._attempts.get(model)
        return attempts.reason if attempts is not None and attempts.failed >= _IN_VAIN else None

    def close(self) -> None:
        """Ends the threads, without waiting for what they have asked of Triton."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
