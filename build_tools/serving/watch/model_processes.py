"""The process table: which process of tritonserver serves which version of which model, and in what state it is."""

import re
import time
from dataclasses import dataclass

import psutil

from build_tools.serving.triton.triton_control import ModelVersion
from build_tools.serving.watch.process_stat import process_stat

# A stub is started as: .../triton_python_backend_stub .../<model>/<version>/<file> <shared memory> ...
_STUB = "triton_python_backend_stub"
_LOOK_EVERY = 0.5  # seconds: the whole process table costs some milliseconds
_MODEL = re.compile(r"/(?P<model>[^/]+)/(?P<version>\d+)/[^/]+$")


@dataclass(frozen=True)
class ModelProcess:
    """One instance of a version. stopped: it has been sent SIGSTOP. cpu_seconds: what it has computed."""

    pid: int
    version: ModelVersion
    stopped: bool
    cpu_seconds: float


class ProcessTable:
    """The model processes of one tritonserver."""

    def __init__(self, server: int) -> None:
        """server: its process id."""
        self._server = server
        self._known: dict[int, tuple[int, ModelVersion]] = {}  # pid: (started, version)
        self.complete_at = -_LOOK_EVERY

    def read(self, complete: bool = True) -> list[ModelProcess]:
        """The processes that live. One that has ended, but whose end Triton has not noted yet, is none of them.

        complete: look for new ones as well, which is done at least twice a second anyway. `complete_at` is when
        (monotonic seconds) it was done last.
        """
        now = time.monotonic()
        if complete or now - self.complete_at >= _LOOK_EVERY:
            self.complete_at = now
            self._find_new()
        return [found for pid in list(self._known) if (found := self._seen(pid))]

    def _find_new(self) -> None:
        try:
            children = psutil.Process(self._server).children(recursive=True)
        except psutil.Error:
            children = []
        for child in children:
            if child.pid not in self._known and (version := _served_by(child)) and (stat := process_stat(child.pid)):
                self._known[child.pid] = stat.started, version

    def _seen(self, pid: int) -> ModelProcess | None:
        started, version = self._known[pid]
        stat = process_stat(pid)
        if stat is None or stat.ended or stat.started != started:
            del self._known[pid]
            return None
        return ModelProcess(pid, version, stat.stopped, stat.cpu_seconds)


def _served_by(process: psutil.Process) -> ModelVersion | None:
    try:
        command = process.cmdline()
    except psutil.Error:
        return None
    if len(command) < 2 or not command[0].endswith(_STUB):
        return None  # also the shell that is just becoming a stub
    model = _MODEL.search(command[1])
    return (model["model"], int(model["version"])) if model else None
