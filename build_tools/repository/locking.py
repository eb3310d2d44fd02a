"""The lock that lets one command at a time change a repository."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from build_tools.errors import NotNowError

LOCK = "repository.lock"  # the routers take it too, to withdraw a canary
_PATIENCE_SECONDS = 600
_MAY_NOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def repository_lock(repository: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Holds the repository's lock. If another command holds it, reports that and waits.

    A killed process leaves no lock behind: the system releases it. Raises NotNowError if the lock stays taken for ten
    minutes, or if this user may not write to the repository.
    """
    lock = FileLock(repository / LOCK)
    with writing_to(repository):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(f"waiting: another command changes {repository}")
            try:
                lock.acquire(timeout=_PATIENCE_SECONDS)
            except Timeout:
                raise NotNowError(
                    f"{repository} has been locked by another command for {_PATIENCE_SECONDS // 60} minutes: stop "
                    "that command if it hangs, then try again."
                ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing_to(repository: Path) -> Iterator[None]:
    """Around the first write of a command. Raises NotNowError, with what to do, if this user may not write there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _MAY_NOT_WRITE:
            raise
        raise NotNowError(
            f"{repository} cannot be changed from here ({error.strerror}): run this as a user who may write to the "
            "folder and to the files in it, where it is not mounted read-only."
        ) from error
