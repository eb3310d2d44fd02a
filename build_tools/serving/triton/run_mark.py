"""What a server has on this machine, noted so that the next start can clear it if this one is killed.

The mark is a file in /dev/shm, beside the shared memory that it names, because both outlive a container's file system.
Its owner holds a lock on it, which the kernel releases when the owner ends, however it ends.
"""

import fcntl
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

SHARED_MEMORY = Path("/dev/shm")
_START, _END = "espalier_", "_run"


@dataclass(frozen=True)
class Left:
    """What an ended server has left. file: its mark. prefix: of its shared memory. folder: its temporary folder."""

    file: Path
    prefix: str
    folder: Path


class RunMark:
    """A mark that exists, and is locked, until `remove`. `prefix` is that of the server's shared memory.

    shared_memory: the folder of the marks and the shared memory.
    """

    def __init__(self, folder: Path, shared_memory: Path = SHARED_MEMORY) -> None:
        """folder: the server's temporary folder. Raises OSError if there is no space."""
        self.prefix = f"{_START}{uuid.uuid4().hex}_"
        self._shared_memory = shared_memory
        self._path = shared_memory / f"{self.prefix.removesuffix('_')}{_END}"
        staged = self._path.with_suffix(".new")
        self._file = staged.open("x")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            json.dump({"folder": str(folder), "pid": os.getpid()}, self._file)
            self._file.flush()
            staged.rename(self._path)  # so that nobody finds a mark without its lock
        except BaseException:
            self._file.close()
            staged.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Removes the shared memory of this prefix and the mark."""
        remove_shared_memory(self.prefix, self._shared_memory)
        self._path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def remove_shared_memory(prefix: str, shared_memory: Path = SHARED_MEMORY) -> None:
    """Removes the shared memory files of a server."""
    for file in shared_memory.glob(f"{prefix}*"):
        file.unlink(missing_ok=True)


def left_behind(shared_memory: Path = SHARED_MEMORY) -> list[Left]:
    """The marks of this user whose owners have ended. /dev/shm is open to all users: marks of others prove nothing."""
    return [
        left
        for file in sorted(shared_memory.glob(f"{_START}*{_END}"))
        if (left := _read(file)) is not None and not _is_held(file)
    ]


def _read(file: Path) -> Left | None:
    try:
        opened: IO[str]
        with file.open() as opened:
            if os.fstat(opened.fileno()).st_uid != os.geteuid():
                return None
            folder = Path(json.load(opened)["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Left(file, f"{file.name.removesuffix(_END)}_", folder)


def _is_held(file: Path) -> bool:
    try:
        with file.open() as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # its owner has just removed it
    except BlockingIOError:
        return True
    return False
