"""One change of a repository at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from build_tools.errors import BuildError

LOCK = "repository.lock"  # the routers hold it too, when they withdraw a canary
_PATIENCE_SECONDS = 600


@contextmanager
def repository_lock(repository: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Held while anything in the repository is changed. Waits for others, and says so.

    A process that is killed leaves no lock behind: the system gives it back. Raises BuildError if another one holds it
    for ten minutes.
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
                f"{repository} has been locked by another command for {_PATIENCE_SECONDS // 60} minutes: see what "
                "hangs there, then try again."
            ) from None
    try:
        yield
    finally:
        lock.release()
