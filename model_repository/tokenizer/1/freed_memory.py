"""Gives memory back to the system after batches of long texts.

Tokenizing takes some hundred bytes for each character, in many small pieces. The C library keeps what is freed for
later: a process would hold what its largest batch took until it ends, three times as much as it needs.
"""

import ctypes
import threading
import time
from contextlib import suppress

_LONG = 50_000  # characters of a batch, of which a normal one has some thousands
_PAUSE_SECONDS = 2.0  # after such a batch; the next ones may need the memory again


class FreedMemory:
    """Returns freed memory in a thread of its own: it takes some tens of milliseconds, for which no batch waits."""

    def __init__(self) -> None:
        self._is_due = threading.Event()
        self._thread: threading.Thread | None = None

    def after(self, characters: int) -> None:
        """Takes note of a batch with this many characters."""
        if characters < _LONG:
            return
        self._is_due.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="freed memory", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._is_due.wait():
            time.sleep(_PAUSE_SECONDS)
            self._is_due.clear()
            give_back()


def give_back() -> None:
    """Returns what is free. Does nothing with another C library than glibc."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
