"""The process table: which process of tritonserver serves which version of which model, and in what state it is."""

import re
from dataclasses import dataclass

import psutil

from build_tools.serving.triton_control import ModelVersion

# A stub is started as: .../triton_python_backend_stub .../<model>/<version>/<file> <shared memory> ...
_STUB = "triton_python_backend_stub"
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
        self._known: dict[int, tuple[psutil.Process, ModelVersion]] = {}

    def read(self) -> list[ModelProcess]:
        """The processes that live. One that has ended, but whose end Triton has not noted yet, is none of them."""
        self._find_new()
        return [found for process, version in list(self._known.values()) if (found := self._seen(process, version))]

    def _find_new(self) -> None:
        try:
            children = psutil.Process(self._server).children(recursive=True)
        except psutil.Error:
            children = []
        for child in children:
            known = self._known.get(child.pid)
            if known is not None and known[0] == child:  # psutil compares start times too
                continue
            version = _served_by(child)
            if version is not None:
                self._known[child.pid] = child, version

    def _seen(self, process: psutil.Process, version: ModelVersion) -> ModelProcess | None:
        try:
            with process.oneshot():
                status, times = process.status(), process.cpu_times()
            if status not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                stopped = status == psutil.STATUS_STOPPED
                return ModelProcess(process.pid, version, stopped, times.user + times.system)
        except psutil.Error:
            pass
        del self._known[process.pid]
        return None


def _served_by(process: psutil.Process) -> ModelVersion | None:
    try:
        command = process.cmdline()
    except psutil.Error:
        return None
    if len(command) < 2 or not command[0].endswith(_STUB):
        return None  # also the shell that is just becoming a stub
    model = _MODEL.search(command[1])
    return (model["model"], int(model["version"])) if model else None
