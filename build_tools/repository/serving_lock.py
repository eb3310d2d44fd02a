"""Who has a repository open: servers share serving.lock, and who changes it behind no server's back has it alone."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from build_tools.errors import BuildError

SERVING_LOCK = "serving.lock"  # each router process of a server holds a shared lock of it
_POLL_SECONDS = 0.1
Report = Callable[[str], None]


@contextmanager
def not_served(repository: Path, report: Report) -> Iterator[None]:
    """Keeps servers on this machine from opening the repository meanwhile. Waits for other commands, and says so.

    Raises BuildError if a server has it open: its routers would follow registry.json to versions that nobody has asked
    Triton to load.
    """
    with (repository / SERVING_LOCK).open("a") as file:
        if not _lock_alone(file, repository, report):
            raise BuildError(
                f"a server has {repository} open: give host:port of its gRPC endpoint as --url, or stop it first."
            )
        yield


@contextmanager
def held_to_serve(repository: Path, prepare: Callable[[], None], report: Report) -> Iterator[None]:
    """For as long as a server runs: the lock that it shares with its routers.

    prepare: called before, while nobody else has the repository open. Waits for commands that change it, and says so.
    Raises BuildError if another server has it open: a publish has one of them load the new version, and the routers of
    both would ask for it.
    """
    with (repository / SERVING_LOCK).open("a") as file:
        if not _lock_alone(file, repository, report):
            raise BuildError(
                f"a server has {repository} open already: stop it first, or build another repository for this one."
            )
        prepare()
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_open(repository: Path) -> bool:
    """Whether a server on this machine, or a command, has the repository open; True where that cannot be known."""
    try:
        with (repository / SERVING_LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _lock_alone(file: IO[str], repository: Path, report: Report) -> bool:
    """Returns False, and locks nothing, if a server shares the lock."""
    waiting = False
    while not _try(file, fcntl.LOCK_EX):
        if _try(file, fcntl.LOCK_SH):  # no command has it alone
            if _try(file, fcntl.LOCK_EX):
                return True
            fcntl.flock(file, fcntl.LOCK_UN)
            return False
        if not waiting:
            report(f"waiting: another command changes {repository}")
        waiting = True
        time.sleep(_POLL_SECONDS)
    return True


def _try(file: IO[str], lock: int) -> bool:
    try:
        fcntl.flock(file, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
