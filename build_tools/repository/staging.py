"""Folders beside the repository: a version is made there before one rename moves it in, and is moved out there."""

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_ALIVE = "alive.lock"  # held by the process that uses the folder


@contextmanager
def staging_folder(repository: Path) -> Iterator[Path]:
    """Yields a new folder on the repository's file system, and removes it at the end unless the process is killed.

    Enter it under the repository's lock, or remove_dead_staging could remove the folder before it has its own lock.
    """
    with (
        # Errors are ignored: another process that checks the lock may create its file again during the removal.
        tempfile.TemporaryDirectory(
            dir=repository.parent, prefix=_prefix(repository), ignore_cleanup_errors=True
        ) as folder,
        FileLock(Path(folder, _ALIVE)),
    ):
        yield Path(folder)


def remove_dead_staging(repository: Path) -> None:
    """Removes the staging folders of killed processes. The caller holds the repository's lock."""
    for folder in repository.parent.glob(f"{glob.escape(_prefix(repository))}*"):
        try:
            with FileLock(folder / _ALIVE, timeout=0):
                pass
        except (Timeout, PermissionError, FileNotFoundError):  # in use, another user's, or removed meanwhile
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(repository: Path) -> str:
    return f".{repository.name}.publish-"
