"""A verb of `espalier` as a command, where neither torch nor anything else that trains is found."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from child_process import child_process

_PROGRAM = str(Path(__file__).resolve().parents[1] / "without_torch.py")


@dataclass(frozen=True)
class Ran:
    """A command that has ended: what it said, the seconds that it took, and the processor's part of them."""

    said: str
    seconds: float
    processor_seconds: float


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen]:
    """A verb's process, which is ended when the block ends; its stdout has all that it says."""
    command = [sys.executable, _PROGRAM, *map(str, arguments)]
    with child_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process


@contextmanager
def begun(*arguments: str | Path) -> Iterator[Callable[[], Ran]]:
    """A verb that has begun. Called, it waits for its end, and raises AssertionError with what it said if it failed."""
    began = time.monotonic()
    with running(*arguments) as process:

        def end() -> Ran:
            assert process.stdout is not None
            said = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, f"espalier {' '.join(map(str, arguments))}: {said}"
            return Ran(said, time.monotonic() - began, used.ru_utime + used.ru_stime)

        yield end
