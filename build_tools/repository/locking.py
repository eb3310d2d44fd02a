"""The lock that lets one command at a time change a repository."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from build_tools.errors import BuildError

LOCK = "repository.lock"  # the routers take it too, to withdraw a canary
_PATIENCE_SECONDS = 600


@contextmanager
def repository_lock(repository: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Holds the repository's lock. If another command holds it, reports that and waits.

    A killed process leaves no lock behind: the system releases it. Raises BuildError if the lock stays taken for ten
    minutes.
    """
    lock = FileLock(repository / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report(f"waiting: another command changes {repository}")
        try:
            lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout:
            raise BuildError(
                f"{repository} has been locked by another command for {_PATIENCE_SECONDS // 60} minutes: stop "
                "that command if it hangs, then try again."
            ) from None
    try:
        yield
    finally:
        lock.release()
