"""Freezes the thread of a process that answers requests, as a deadlock would: the process is not stopped for others."""

import ctypes
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ATTACH, _DETACH = 16, 17  # of ptrace(2)
_WALL = 0x40000000  # of waitpid(2): also threads
_TRIES_SECONDS = 20.0


@contextmanager
def frozen_in_a_request(process: int, steps: Path) -> Iterator[None]:
    """Catches the first thread of a model process while it answers a request. steps: where processes tell that."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    deadline = time.monotonic() + _TRIES_SECONDS
    while True:
        if libc.ptrace(_ATTACH, process, None, None):
            pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
        os.waitpid(process, _WALL)
        (overdue_at,) = struct.unpack("=d", (steps / str(process)).read_bytes())
        if overdue_at:
            break
        libc.ptrace(_DETACH, process, None, None)
        assert time.monotonic() < deadline, "it was never caught in a request"
        time.sleep(0.003)
    try:
        yield
    finally:
        libc.ptrace(_DETACH, process, None, None)  # fails if it was killed
