"""Tells the supervisor by when a step of this process should be done: so it sees a process that hangs.

The folder in the variable ESPALIER_STEPS has a file for each process, named by its id, with one number: when the step
is overdue (CLOCK_MONOTONIC, seconds), or 0 while there is none. Without the variable nothing is told. The backends and
the hand-written models have this file each, since neither may import the other.
"""

import os
import struct
import time
from pathlib import Path

_NUMBER = struct.Struct("=d")


class StepClock:
    """Of this process. A call takes some microseconds, and never fails: a full disk must not cost an answer."""

    def __init__(self) -> None:
        folder = os.environ.get("ESPALIER_STEPS")
        try:
            self._file = (Path(folder) / str(os.getpid())).open("wb", buffering=0) if folder else None
        except OSError:
            self._file = None

    def begin(self, seconds: float) -> None:
        """A step begins, after an earlier one or not, that should take no longer than this."""
        self._tell(time.monotonic() + seconds)

    def end(self) -> None:
        """There is none any more."""
        self._tell(0.0)

    def _tell(self, overdue_at: float) -> None:
        if self._file is not None:
            try:
                os.pwrite(self._file.fileno(), _NUMBER.pack(overdue_at), 0)
            except OSError:
                self._file = None
