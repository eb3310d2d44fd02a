"""Processes whose step is overdue: killed, so that they are brought back and what waits for them goes on.

A probe cannot tell such a process from one that waits for its turn on a busy server, nor one of two processes of a
model from the other. So each says by when its step should be done: espalier_backend/step_clock.py.
"""

import os
import signal
import struct
from contextlib import suppress
from pathlib import Path

_NUMBER = struct.Struct("=d")
# It may just have been continued after the whole machine or container stood still.
_GRACE_SECONDS = 2.0


class HungProcesses:
    """Of one server. `see` must be called several times a second for each process."""

    def __init__(self, folder: Path | None) -> None:
        """folder: where the processes tell; None if they do not."""
        self._folder = folder
        self._seen: set[int] = set()
        self._overdue: dict[int, tuple[float, float]] = {}  # when its step was overdue, and when that was first seen

    def see(self, pid: int, now: float) -> str | None:
        """Kills the process if it hangs, and returns what was done, else None. now: CLOCK_MONOTONIC, seconds."""
        self._seen.add(pid)
        overdue_at = self._overdue_at(pid)
        if not 0.0 < overdue_at < now:
            self._overdue.pop(pid, None)
            return None
        known, since = self._overdue.get(pid, (overdue_at, now))
        if known != overdue_at:
            since = now
        self._overdue[pid] = overdue_at, since
        if now - since < _GRACE_SECONDS:
            return None
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        del self._overdue[pid]
        return "hangs in a request: killed"

    def keep(self, living: set[int]) -> None:
        """Removes what those seen before have left that are not among the living."""
        for pid in self._seen - living:
            self._overdue.pop(pid, None)
            if self._folder is not None:
                (self._folder / str(pid)).unlink(missing_ok=True)
        self._seen &= living

    def _overdue_at(self, pid: int) -> float:
        if self._folder is None:
            return 0.0
        try:
            (number,) = _NUMBER.unpack((self._folder / str(pid)).read_bytes())
        except (OSError, struct.error):  # it has not told anything yet
            return 0.0
        return float(number)
