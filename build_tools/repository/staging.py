"""Folders beside the repository: where a version is made before one rename moves it in, and where it goes out."""

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_ALIVE = "alive.lock"  # held by the process that works there


@contextmanager
def staging_folder(repository: Path) -> Iterator[Path]:
    """A new folder on the repository's own file system; gone in the end, whatever happens, unless killed.

    Entered under the repository's lock: remove_dead_staging must not come between the folder and its own lock.
    """
    with (
        # Errors are ignored: who looks whether this process lives may put the lock there again while it is removed.
        tempfile.TemporaryDirectory(
            dir=repository.parent, prefix=_prefix(repository), ignore_cleanup_errors=True
        ) as folder,
        FileLock(Path(folder, _ALIVE)),
    ):
        yield Path(folder)


def remove_dead_staging(repository: Path) -> None:
    """Removes the folders of processes that were killed. The caller holds the repository's lock."""
    for folder in repository.parent.glob(f"{glob.escape(_prefix(repository))}*"):
        try:
            with FileLock(folder / _ALIVE, timeout=0):
                pass
        except (Timeout, PermissionError):  # alive, or another user's
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(repository: Path) -> str:
    return f".{repository.name}.publish-"
