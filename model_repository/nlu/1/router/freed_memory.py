"""Gives memory back to the system after batches of long texts.

Tokenizing takes some hundred bytes for each character, in many small pieces. The C library keeps what is freed for
later: a router would hold the memory of its largest batch until it ends, three times what it needs (docs/experiments.md).
"""

import ctypes
import threading
from collections.abc import Sequence
from contextlib import suppress

from router.row import Row

_LONG = 50_000  # characters of a batch, of which a normal one has some thousands
_PAUSE_SECONDS = 2.0  # after such a batch; the next ones may need the memory again


class FreedMemory:
    """Returns freed memory in a thread of its own: it takes some tens of milliseconds, for which no batch waits."""

    def __init__(self) -> None:
        self._is_due = threading.Event()
        self._thread: threading.Thread | None = None

    def after(self, rows: Sequence[Row]) -> None:
        """Takes note of a batch."""
        if sum(len(row.text) + len(row.pair or "") for row in rows) < _LONG:
            return
        self._is_due.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="freed memory", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._is_due.wait():
            threading.Event().wait(_PAUSE_SECONDS)
            self._is_due.clear()
            give_back()


def give_back() -> None:
    """Returns what is free. Does nothing with another C library than glibc."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
