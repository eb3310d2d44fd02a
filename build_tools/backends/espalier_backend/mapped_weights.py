"""Weights that a runtime maps from a file, and of which it makes a copy in the form that it computes with.

OpenVINO keeps both (2026.4). The file's pages are then never read again, but for a word's embedding.
"""

import ctypes
import mmap
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_READ_ONLY_SHARED = "r--s"  # such pages are the file's: dropped, they are read from it again where they are needed


def leave_in_file(names: Container[str]) -> None:
    """Drops the pages of mapped files with these names from this process, where the system can.

    Source: madvise(2), MADV_DONTNEED of shared file mappings; proc_pid_maps(5).
    """
    with suppress(AttributeError, OSError):
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
            place, access, *_, path = line.split(maxsplit=5)
            if access == _READ_ONLY_SHARED and Path(path).name in names:
                start, end = (int(address, 16) for address in place.split("-"))
                advise(start, end - start, mmap.MADV_DONTNEED)
