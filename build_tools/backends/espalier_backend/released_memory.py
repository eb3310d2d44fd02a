"""Gives back the memory of long requests once there are none any more.

A runtime keeps the buffers of its largest calls for the next ones: some 200 MB more in a trunk, 80 MB in a branch.
"""

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress

_LONG = 512  # tokens of a call that is computed at once; less leaves little behind
_QUIET_SECONDS = 5.0  # after the last of them: the next call takes longer, by some tens of milliseconds


class ReleasedMemory:
    """Calls `release` in a thread of its own, for which no request waits."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._is_due = threading.Event()
        self._thread: threading.Thread | None = None

    def after(self, tokens: int) -> None:
        """Takes note of a call with so many tokens."""
        if tokens < _LONG:
            return
        self._is_due.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="released memory", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._is_due.wait():
            self._is_due.clear()
            if not self._is_due.wait(_QUIET_SECONDS):
                self._release()
                give_back()


def give_back() -> None:
    """Returns memory to the system that the C library keeps. Does nothing with another one than glibc."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
