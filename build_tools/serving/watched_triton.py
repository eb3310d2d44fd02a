"""A Triton and the watch over its models: where bringing single models back does not help, it is started again."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.attached_triton import AttachedTriton
from build_tools.serving.triton.server import TritonServer
from build_tools.serving.triton.triton_control import TritonControl
from build_tools.serving.watch.model_processes import ProcessTable
from build_tools.serving.watch.process_stat import is_stopped
from build_tools.serving.watch.stopped_processes import StoppedProcesses
from build_tools.serving.watch.watch import Watch

_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)  # seconds before each start in a row; after the last one it is given up
_WELL_SECONDS = 300.0  # after which earlier restarts are forgotten


class WatchedTriton:
    """`look` must be called several times a second, from one thread, which lives as long as tritonserver should.

    watch: over the models of the tritonserver that runs now. restarts: how often it was started again.
    """

    def __init__(
        self,
        triton: TritonServer | AttachedTriton,
        control: TritonControl,
        repository: Path,
        steps: Path,
        report: Callable[[str], None],
        restarting: Callable[[], None],
        stopping: threading.Event,
    ) -> None:
        """triton: which runs. control: a connection to it, which `close` ends. steps: as for Watch.

        report: is given a line for each event. restarting: called before each restart, which takes a while. stopping:
        once it is set, nothing is started.
        """
        self._triton = triton
        self._control = control
        self._repository = repository
        self._steps = steps
        self._report = report
        self._restarting = restarting
        self._stopping = stopping
        self._stopped = StoppedProcesses()
        self._model_restarts: dict[str, int] = {}
        self._restarts_in_row = 0
        self._started_at = time.monotonic()
        self.restarts = 0
        self.watch = self._new_watch()

    def look(self) -> None:
        """Brings back what is dead or hangs. Raises ServeError if tritonserver was started again too often in vain."""
        reason = self._triton.exit_reason()
        if reason is None:
            self._look_whether_stopped()
            self.watch.look()
            if not isinstance(self._triton, AttachedTriton):
                reason = self.watch.beyond_repair
        if reason is not None:
            self._restart(reason)

    def close(self) -> None:
        """Ends the watch, and the connection to Triton."""
        self.watch.close()
        self._control.close()

    def _new_watch(self) -> Watch:
        pid = self._triton.pid
        table = None if pid is None else ProcessTable(pid)
        return Watch(self._control, self._repository, table, self._report, self._model_restarts, self._steps)

    def _look_whether_stopped(self) -> None:
        """A tritonserver that was stopped (SIGSTOP) is continued, or killed, which is then seen as its end."""
        pid = self._triton.pid
        if pid is not None and (done := self._stopped.see(pid, is_stopped(pid), time.monotonic())):
            self._report(f"tritonserver: process {pid} {done}")

    def _restart(self, reason: str) -> None:
        if time.monotonic() - self._started_at > _WELL_SECONDS:
            self._restarts_in_row = 0
        while True:
            if self._restarts_in_row >= len(_PAUSES):
                raise ServeError(f"tritonserver was started again {len(_PAUSES)} times in vain: {reason}")
            pause = _PAUSES[self._restarts_in_row]
            self._restarts_in_row += 1
            self.restarts += 1
            self._restarting()
            self._report(
                f"tritonserver: {reason.partition(':')[0]}: starting it again" + (f" in {pause:g} s" if pause else "")
            )
            self.watch.close()
            self._triton.kill()
            self._triton.stop()
            if self._stopping.wait(pause):
                return
            self._triton.tolerant = True  # one branch that cannot be loaded must not end all others
            try:
                self._triton.start()
            except ServeError as error:
                if self._stopping.is_set():
                    return
                reason = str(error)
                continue
            self._started_at = time.monotonic()
            self.watch = self._new_watch()
            self._report("tritonserver: is back")
            return
