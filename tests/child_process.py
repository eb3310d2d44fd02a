"""Starts a program that has ended when the block ends, whatever happened in it."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def child_process(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen]:
    """The program, in a session of its own. options: those of subprocess.Popen.

    When the block ends, it and its process group are killed: wait for an orderly end in the block. (`with Popen` waits
    without a limit when a test fails, and `communicate` waits for whoever has inherited a pipe.)
    """
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was written and not yet sent
                    pipe.close()
