"""Folders beside the repository: a version is made there before one rename moves it in, and is moved out there."""

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from build_tools.errors import BuildError
from build_tools.repository.exchange import put_back

_ALIVE = "alive.lock"  # held by the process that uses the folder


@contextmanager
def staging_folder(repository: Path) -> Iterator[Path]:
    """Yields a new folder on the repository's file system, and removes it at the end unless the process is killed.

    Enter it under the repository's lock, or remove_dead_staging could remove the folder before it has its own lock.
    Raises BuildError if the repository is a file system of its own: then nothing can be renamed into it from outside.
    """
    repository = repository.resolve()  # a link may lead to another file system
    if repository.stat().st_dev != repository.parent.stat().st_dev:
        raise BuildError(
            f"{repository} is a file system of its own, and what is new is renamed into it from the folder above: move "
            f"the repository one folder down, to {repository / repository.name} for instance."
        )
    with (
        # Errors are ignored: another process that checks the lock may create its file again during the removal.
        tempfile.TemporaryDirectory(
            dir=repository.parent, prefix=_prefix(repository), ignore_cleanup_errors=True
        ) as folder,
        FileLock(Path(folder, _ALIVE)),
    ):
        yield Path(folder)


def remove_dead_staging(repository: Path) -> None:
    """Removes the staging folders of killed processes. The caller holds the repository's lock.

    What one of them had taken out of the repository, to exchange it, goes back before.
    """
    repository = repository.resolve()
    for folder in repository.parent.glob(f"{glob.escape(_prefix(repository))}*"):
        try:
            with FileLock(folder / _ALIVE, timeout=0):
                pass
        except (Timeout, PermissionError, FileNotFoundError):  # in use, another user's, or removed meanwhile
            continue
        put_back(folder, repository)
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(repository: Path) -> str:
    return f".{repository.name}.publish-"
