"""serving.lock: held shared by a server while it runs, exclusively by a command that changes files without a server."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from build_tools.errors import BuildError
from build_tools.repository.locking import writing_to

SERVING_LOCK = "serving.lock"  # each router process of a server holds a shared lock on it
_POLL_SECONDS = 0.1
_LOCKS = Path("/proc/locks")
Report = Callable[[str], None]


@contextmanager
def not_served(repository: Path, report: Report) -> Iterator[None]:
    """Keeps servers on this machine from opening the repository. If another command does so, reports that and waits.

    Raises BuildError if a server has it open: its routers would follow registry.json to versions that Triton has not
    been asked to load; and if this user may not write there.
    """
    with _opened(repository) as file:
        if not _lock_alone(file, repository, report):
            raise BuildError(
                f"a server has {repository} open: give host:port of its gRPC endpoint as --url, or stop it "
                f"first{_named(repository)}."
            )
        yield


@contextmanager
def held_to_serve(repository: Path, prepare: Callable[[], None], report: Report) -> Iterator[None]:
    """Holds the lock that a server shares with its routers, for as long as the server runs.

    prepare: called first, while no other process has the repository open. If a command is changing the repository,
    reports that and waits. Raises BuildError if another server has it open: a publish makes one server load the new
    version, and then the routers of both would ask for it.
    """
    with _opened(repository) as file:
        if not _lock_alone(file, repository, report):
            raise BuildError(
                f"a server has {repository} open already: stop it first, or build another repository for this "
                f"server{_named(repository)}."
            )
        prepare()
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_open(repository: Path) -> bool:
    """Whether a server on this machine, or a command, has the repository open; True if that cannot be found out."""
    try:
        with (repository / SERVING_LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def holders(repository: Path) -> list[int]:
    """The processes that hold the lock, as far as this one may see them: servers and their routers."""
    try:
        own = (repository / SERVING_LOCK).stat()
        locks = _LOCKS.read_text()
    except OSError:
        return []
    place = f"{os.major(own.st_dev):02x}:{os.minor(own.st_dev):02x}:{own.st_ino}"
    entries = (line.split() for line in locks.splitlines())
    # "1: FLOCK ADVISORY READ 4711 fe:00:131 0 EOF"; one that waits for a lock has "->" behind the number.
    found = {int(entry[4]) for entry in entries if entry[1] == "FLOCK" and entry[5] == place}
    return sorted(found - {0, os.getpid()})


def _opened(repository: Path) -> IO[str]:
    with writing_to(repository):
        return (repository / SERVING_LOCK).open("a")


def _named(repository: Path) -> str:
    pids = holders(repository)
    return f" (its processes: {', '.join(map(str, pids))})" if pids else ""


def _lock_alone(file: IO[str], repository: Path, report: Report) -> bool:
    """Takes the lock exclusively, waiting for commands. Returns False, with no lock taken, if a server shares it."""
    waiting = False
    while not _try(file, fcntl.LOCK_EX):
        if _try(file, fcntl.LOCK_SH):  # so no command holds it exclusively
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
