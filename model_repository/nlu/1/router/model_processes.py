"""The processes in which Triton's Python backend runs models, as /proc shows them.

They are children of tritonserver, as this process is. Models of Triton's C++ backends have none: they run inside
tritonserver, and end with it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from router.registry import NEWEST

_GONE, _STOPPED = "ZX", "Tt"  # states in /proc: zombies; processes that a signal or a debugger has stopped


class ModelProcesses:
    """Finds processes by model and version. server: the process id of tritonserver. proc: where /proc is."""

    def __init__(self, server: int | None = None, proc: Path = Path("/proc")) -> None:
        self._server = os.getppid() if server is None else server
        self._proc = proc

    def find(self, model: str, version: int) -> list[int]:
        """Returns the ids of the processes that hold this version of the model and have not ended.

        NEWEST is any version: all versions of a trunk that are loaded are watched.
        """
        return [pid for pid in self._children() if self._holds(pid, model, version)]

    def can_answer(self, model: str, version: int) -> bool:
        """Returns whether one of them runs."""
        return any(self.runs(pid) for pid in self.find(model, version))

    def runs(self, pid: int) -> bool:
        """Returns whether a process has neither ended nor been stopped."""
        state, _ = self._stat(pid)
        return state not in _GONE + _STOPPED

    def _children(self) -> Iterator[int]:
        for entry in os.listdir(self._proc):  # noqa: PTH208  hundreds of them: no Path for each
            if entry.isdecimal():
                state, parent = self._stat(int(entry))
                if parent == self._server and state not in _GONE:
                    yield int(entry)

    def _holds(self, pid: int, model: str, version: int) -> bool:
        """Triton starts a stub with the path of the model's file: .../<model>/<version>/<file>."""
        try:
            command = (self._proc / str(pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        parts = command[1].decode(errors="replace").split("/") if len(command) > 1 else []
        return len(parts) > 2 and parts[-3] == model and version in (NEWEST, _number(parts[-2]))

    def _stat(self, pid: int) -> tuple[str, int]:
        """Returns a process's state, and its parent's id; it has ended if there is no such process."""
        try:
            stat = (self._proc / str(pid) / "stat").read_bytes()
            fields = stat.rpartition(b")")[2].split()  # the name before may hold anything
            return fields[0].decode(), int(fields[1])
        except (OSError, IndexError, ValueError):
            return "X", 0


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
