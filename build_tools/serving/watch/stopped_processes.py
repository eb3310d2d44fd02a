"""Processes that somebody has stopped (SIGSTOP): continued while that is safe, killed otherwise."""

import os
import signal
from contextlib import suppress

# A model process that is continued after 3 s makes tritonserver 2.51 abort, so it may not live that long.
_SAFE_SECONDS = 1.5
_CONTINUED_AT_MOST = 2
_FORGOTTEN_SECONDS = 30.0


class StoppedProcesses:
    """Of one server. `see` must be called several times a second for each process."""

    def __init__(self) -> None:
        self._running_at: dict[int, float] = {}
        self._continued: dict[int, list[float]] = {}

    def see(self, pid: int, stopped: bool, now: float) -> str | None:
        """Acts on what was seen of one process. Returns what was done, or None.

        A process that was not seen running a moment ago, or that is stopped again and again, is killed.
        """
        if not stopped:
            self._running_at[pid] = now
            return None
        times = [at for at in self._continued.get(pid, []) if now - at < _FORGOTTEN_SECONDS]
        is_safe = now - self._running_at.get(pid, -_SAFE_SECONDS) < _SAFE_SECONDS
        with suppress(ProcessLookupError):
            if is_safe and len(times) < _CONTINUED_AT_MOST:
                os.kill(pid, signal.SIGCONT)
                self._continued[pid] = [*times, now]
                return "was stopped: continued"
            os.kill(pid, signal.SIGKILL)
            self.forget(pid)
            return "was stopped: killed"
        return None

    def forget(self, pid: int) -> None:
        """The process has ended."""
        self._running_at.pop(pid, None)
        self._continued.pop(pid, None)
