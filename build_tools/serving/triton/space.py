"""Refuses to start on a full disk, in one sentence, before half a file is written."""

import errno
import os
import shutil
from pathlib import Path

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.model_folders import model_folders
from build_tools.serving.triton.run_mark import SHARED_MEMORY

_MEGABYTE = 2**20
_TEMPORARY = 32 * _MEGABYTE  # copies of the backends (7 MB), Triton's log, counters
_REPOSITORY = 4 * _MEGABYTE  # compiled Python of the hand-written models, registry.json, locks
_PER_MODEL = 2 * _MEGABYTE  # each model process starts with 1 MB of shared memory; a router with two of them


def check_space(repository: Path, temporary: Path) -> None:
    """Raises ServeError if a server of this repository would soon find a disk full.

    Python that is compiled onto a full disk is cut off without an error, and fails on import ("EOFError: marshal data
    too short").
    """
    models = len(model_folders(repository))
    _check(temporary, _TEMPORARY, "temporary files", "make room, or set TMPDIR to a folder on another disk")
    _check(SHARED_MEMORY, models * _PER_MODEL, "shared memory", "remove what fills it, or mount it with a larger size")
    if os.access(repository, os.W_OK):
        _check(repository, _REPOSITORY, "the model repository", "make room")


def is_disk_full(error: OSError) -> bool:
    """Whether this says that a disk, or a quota on it, is full. shutil collects such errors in one of its own."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or (
        isinstance(error, shutil.Error) and os.strerror(errno.ENOSPC) in str(error)
    )


def _check(place: Path, needed: int, use: str, fix: str) -> None:
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ServeError(
            f"the disk of {place}, for {use}, is full: {free / _MEGABYTE:.0f} MB are free and "
            f"{needed / _MEGABYTE:.0f} MB needed; {fix}"
        )
