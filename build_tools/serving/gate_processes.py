"""The gate's processes: started, watched, started again, ended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from build_tools.serving.backoff import pause_after
from build_tools.serving.errors import ServeError
from build_tools.serving.gate.beat import GateBeat
from build_tools.serving.triton import launch_tied
from build_tools.serving.watch.process_stat import is_stopped
from build_tools.serving.watch.stopped_processes import StoppedProcesses

_MODULE = "build_tools.serving.gate"
_START_SECONDS = 60.0
_END_SECONDS = 40.0  # a little more than the gate gives its last requests
_POLL_SECONDS = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_WELL_SECONDS = 10.0


class _Gate:
    """One process. started_at: monotonic seconds. listens: has done so. failed: ends in a row, soon after the start."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.beat: GateBeat | None = None
        self.started_at = 0.0
        self.listens = False
        self.next_at = 0.0
        self.failed = 0


class GateProcesses:
    """`count` processes that listen on the same ports. Their output goes to this process's standard error.

    settings: the file of GateSettings. state: that of ServerState. ports: on which each of them listens. metrics: the
    folder of prometheus_client's multiprocess mode. restarts: how often one was started again.
    """

    def __init__(
        self, settings: Path, state: Path, ports: set[int], metrics: Path, count: int, report: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._state = state
        self._ports = ports
        self._metrics = metrics
        self._report = report
        self._gates = [_Gate() for _ in range(count)]
        self._stopped = StoppedProcesses()
        self.restarts = 0

    def start(self) -> None:
        """Starts all. They end with the thread that calls this. Raises ServeError if one ends or does not listen."""
        for gate in self._gates:
            self._start(gate)
        deadline = time.monotonic() + _START_SECONDS
        for gate in self._gates:
            assert gate.process is not None
            while not self._listens(gate):
                if gate.process.poll() is not None:
                    raise ServeError(
                        f"the gate did not start (exit code {gate.process.returncode}): see its output above"
                    )
                if time.monotonic() > deadline:
                    raise ServeError(f"the gate did not listen after {_START_SECONDS:.0f} seconds")
                time.sleep(_POLL_SECONDS)

    def look(self) -> list[int]:
        """Starts those again that have ended. Returns the ids of those that have ended, for their metrics."""
        now = time.monotonic()
        ended = []
        for gate in self._gates:
            process = gate.process
            if process is not None and process.poll() is None:
                if done := self._stopped.see(process.pid, is_stopped(process.pid), now):
                    self._report(f"gate: process {process.pid} {done}")
                if gate.beat is not None and gate.beat.is_silent(now):
                    self._report(f"gate: process {process.pid} hangs: killed")
                    process.kill()
                continue
            if process is not None:
                ended.append(process.pid)
                self._stopped.forget(process.pid)
                if gate.beat is not None:
                    gate.beat.remove()
                gate.process = None
                gate.failed = gate.failed + 1 if now - gate.started_at < _WELL_SECONDS else 0
                gate.next_at = now + (pause_after(gate.failed, _FIRST_PAUSE, _LONGEST_PAUSE) if gate.failed else 0.0)
                self._report(f"gate: process {process.pid} has ended (code {process.returncode}): starting another one")
            if now >= gate.next_at:
                self.restarts += 1
                self._start(gate)
        return ended

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        return [gate.process.pid for gate in self._gates if gate.process is not None and gate.process.poll() is None]

    @property
    def listen(self) -> bool:
        """Whether at least one takes requests."""
        return any(self._listens(gate) for gate in self._gates)

    def stop(self) -> None:
        """Has them answer what they have accepted, then end; those that do not end in time are killed."""
        running = [gate.process for gate in self._gates if gate.process is not None]
        try:
            for process in running:
                process.terminate()
            deadline = time.monotonic() + _END_SECONDS
            for process in running:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._report(f"gate: process {process.pid} did not end in {_END_SECONDS:.0f} seconds: killed")
        finally:  # also if Ctrl-C interrupts the wait
            for process in running:
                process.kill()
                process.wait()

    def _start(self, gate: _Gate) -> None:
        # -P: the folder where the command was called must not bring code in.
        command = [sys.executable, "-P", "-m", _MODULE, str(self._settings)]
        gate.process = subprocess.Popen(
            [sys.executable, "-I", "-S", launch_tied.__file__, str(os.getpid()), *command],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(self._metrics)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches only this process, which tells the gates
        )
        gate.beat = GateBeat(self._state, gate.process.pid)
        gate.started_at = time.monotonic()
        gate.listens = False

    def _listens(self, gate: _Gate) -> bool:
        if gate.process is None or gate.process.poll() is not None:
            return False
        if gate.listens:  # it does so until it ends
            return True
        try:
            connections = psutil.Process(gate.process.pid).net_connections("tcp")
        except psutil.Error:
            return False
        gate.listens = self._ports <= {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}
        return gate.listens
