"""Runs all that serves a repository: tritonserver, the gate before it, the watch over both, and the metrics."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.multiprocess import mark_process_dead

from build_tools.serving.errors import ServeError
from build_tools.serving.gate.settings import GateSettings, Limits, Tls
from build_tools.serving.gate_processes import GateProcesses
from build_tools.serving.metrics_endpoint import MetricsEndpoint, SupervisorCollector
from build_tools.serving.replica.follower import Follower
from build_tools.serving.replica.replica import Replica
from build_tools.serving.replica.standing import standing_alone
from build_tools.serving.self_report import SelfReport
from build_tools.serving.state import ModelState, ServerState
from build_tools.serving.state_writer import StateWriter
from build_tools.serving.triton.attached_triton import AttachedTriton
from build_tools.serving.triton.ports import ipv4_address, settle_ports
from build_tools.serving.triton.resources import Resources
from build_tools.serving.triton.run_mark import RunMark
from build_tools.serving.triton.server import TritonServer
from build_tools.serving.triton.serving_folder import new_temporary_folder, remove_folder
from build_tools.serving.triton.triton_control import TritonControl
from build_tools.serving.triton.triton_key import new_triton_key
from build_tools.serving.watch.model_processes import ProcessTable
from build_tools.serving.watch.process_metrics import ProcessCollector
from build_tools.serving.watch.process_stat import is_stopped
from build_tools.serving.watch.stopped_processes import StoppedProcesses
from build_tools.serving.watch.watch import Watch

_LOOK_SECONDS = 0.1
_WRITE_SECONDS = 0.5
_TOLD_SECONDS = 0.5  # for gates to read that the server is ready, or stops
_TASKS_SECONDS = 5.0  # for all tasks to be ready as well, at the start
_RESTARTS = 5  # in a row, before the supervisor gives up
_RESTART_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
_WELL_SECONDS = 300.0  # after which earlier restarts are forgotten
_LOOPBACK = "127.0.0.1"
_GATE = "gate"  # its name among the models


@dataclass(frozen=True)
class Settings:
    """What `espalier serve` is told.

    A port of None picks a free one; resources of None are chosen for the machine. startup_timeout: seconds. log_file:
    of Triton; None removes the log with the server. attached: host:port of a Triton that runs already, with its key and
    the host:port of its metrics; None starts one. attached_counts: the folder in which that Triton's routers count, if
    it is shared with this process. replica: of a server that only reads a shared folder; `repository` is then its view.
    The rest is as in GateSettings.
    """

    repository: Path
    grpc_port: int | None = None
    http_port: int | None = None
    metrics_port: int | None = None
    host: str = _LOOPBACK
    startup_timeout: float = 120.0
    log_file: Path | None = None
    resources: Resources | None = None
    gate_workers: int = 1
    keys: Path | None = None
    tls: Tls | None = None
    access_log: str | None = None
    access_log_texts: bool = False
    limits: Limits = field(default_factory=Limits)
    attached: str | None = None
    attached_key: str | None = None
    attached_metrics: str | None = None
    attached_counts: Path | None = None
    replica: Replica | None = None


class Supervisor:
    """Serves a repository, and brings back what dies or hangs, until `stop`.

    grpc_url, http_url and metrics_url are `host:port` of the public endpoints. report is given one line for each event.
    """

    def __init__(self, settings: Settings, report: Callable[[str], None]) -> None:
        self.settings = settings
        self._report = report
        self._address = ""
        self._ports: dict[str, int] = {}
        self._private: dict[str, int] = {}
        self._key = ""
        self._folder: Path | None = None
        self._counts: Path | None = None
        self._steps: Path | None = None
        self._mark: RunMark | None = None
        self._triton: TritonServer | AttachedTriton | None = None
        self._control: TritonControl | None = None
        self._watch: Watch | None = None
        self._gates: GateProcesses | None = None
        self._metrics: MetricsEndpoint | None = None
        self._follower: Follower | None = None
        self._state_writer: StateWriter | None = None
        self._processes = ProcessCollector(lambda: self.triton_pid, lambda: self.gate_pids)
        self._stopped = StoppedProcesses()
        self._counting: set[int] = set()  # the processes that write to `_counts`, as they were seen last
        self._model_restarts: dict[str, int] = {}
        self._server_restarts = 0
        self._restarts_in_row = 0
        self._started_at = 0.0
        self._is_stopping = threading.Event()
        self._is_over = threading.Event()  # the processes are ended: threads may end
        self._failed = threading.Event()
        self._failure: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        """Returns once the server takes requests. Raises ServeError, and leaves nothing running, if that fails.

        The processes end by themselves with the thread that calls this.
        """
        given = self.settings
        self._address = ipv4_address(given.host)
        wanted = {"grpc": given.grpc_port, "http": given.http_port, "metrics": given.metrics_port}
        self._ports = settle_ports(self._address, wanted)
        try:
            self._folder = new_temporary_folder()
            self._mark = RunMark(self._folder)
            self._counts = given.attached_counts or self._folder / "metrics"
            self._counts.mkdir(exist_ok=True)
            self._steps = self._folder / "steps"
            self._steps.mkdir()
            self._start_triton()
            self._state_writer = self._new_state_writer()
            self._start_gates()
            self._metrics = MetricsEndpoint(
                self._address,
                self._ports["metrics"],
                self._tritons_metrics,
                self._counts,
                [SupervisorCollector(lambda: self.state), self._processes],
            )
            self._state_writer.write()
            if self._follower is not None:
                self._follower.start()
            for name, work in (("watch", self._watch_all), ("state", self._keep_writing)):
                self._threads.append(threading.Thread(target=self._guarded, args=[work], name=name, daemon=True))
                self._threads[-1].start()
            self._wait_until_ready()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise ServeError(f"the server cannot be started: {error}") from error
            raise
        return self

    def wait(self) -> None:
        """Waits until the server cannot be kept running, then raises ServeError with the reason."""
        self._failed.wait()
        assert self._failure is not None
        raise self._failure

    def stop(self) -> None:
        """Refuses new requests, answers those that are accepted, ends everything and removes what it has written."""
        self._is_stopping.set()
        if self._follower is not None:
            self._follower.end()
        try:
            if self._gates is not None and self._state_writer is not None:
                self._state_writer.tell_stop()
                time.sleep(_TOLD_SECONDS)
                self._gates.stop()
        finally:
            if self._triton is not None:
                self._triton.stop()
            self._is_over.set()
            if self._follower is not None:
                self._follower.join()
            for thread in self._threads:
                thread.join()
            self._threads.clear()
            if self._watch is not None:
                self._watch.close()
            if self._control is not None:
                self._control.close()
            if self._metrics is not None:
                self._metrics.close()
            if self._folder is not None:
                remove_folder(self._folder)
            if self._mark is not None:
                self._mark.remove()
            self._triton = self._gates = self._watch = self._control = self._metrics = None
            self._folder = self._mark = self._follower = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def grpc_url(self) -> str:
        return self._url("grpc")

    @property
    def http_url(self) -> str:
        return self._url("http")

    @property
    def metrics_url(self) -> str:
        return self._url("metrics")

    @property
    def triton_pid(self) -> int | None:
        """The process id of tritonserver; None while there is none, or if something else has started it."""
        try:
            return self._triton.pid if self._triton else None
        except ServeError:
            return None

    @property
    def gate_pids(self) -> list[int]:
        """The process ids of the gate."""
        return self._gates.pids if self._gates else []

    @property
    def state(self) -> ServerState:
        """What the gates are told."""
        if self._state_writer is None:
            return ServerState(ready=False, reason="it is starting", written_at=time.time())
        return self._state_writer.state

    @property
    def state_file(self) -> Path:
        """Where the gates read it."""
        if self._folder is None:
            raise ServeError(f"the server of {self.settings.repository} is not running")
        return self._folder / "state.json"

    def _url(self, endpoint: str) -> str:
        if self._folder is None:
            raise ServeError(f"the server of {self.settings.repository} is not running")
        return f"{_LOOPBACK if self._address == '0.0.0.0' else self._address}:{self._ports[endpoint]}"

    @property
    def _tritons_metrics(self) -> str | None:
        return self.settings.attached_metrics if self.settings.attached else f"{_LOOPBACK}:{self._private['metrics']}"

    @property
    def _tritons_address(self) -> str:
        return self.settings.attached or f"{_LOOPBACK}:{self._private['grpc']}"

    def _start_triton(self) -> None:
        given = self.settings
        if given.attached is not None:
            self._key = given.attached_key or ""
            self._triton = AttachedTriton(
                given.attached, given.attached_metrics, given.attached_key, given.startup_timeout
            )
        else:
            self._key = new_triton_key()
            # Chosen once: the gates find a server that was started again at the same place.
            self._private = settle_ports(_LOOPBACK, {"grpc": None, "metrics": None})
            self._triton = TritonServer(
                given.repository,
                self._private["grpc"],
                None,
                self._private["metrics"],
                _LOOPBACK,
                given.startup_timeout,
                given.log_file,
                given.resources,
                key=self._key,
                metrics=self._counts,
                steps=self._steps,
            )
        self._triton.start()
        self._started_at = time.monotonic()
        self._control = TritonControl(self._tritons_address, self._key or None)
        self._watch = self._new_watch()

    def _new_watch(self) -> Watch:
        assert self._control is not None
        pid = self.triton_pid
        table = None if pid is None else ProcessTable(pid)
        return Watch(self._control, self.settings.repository, table, self._report, self._model_restarts, self._steps)

    def _new_state_writer(self) -> StateWriter:
        assert self._counts is not None
        standing = standing_alone(self.settings.repository)
        if self.settings.replica is not None:
            self._follower = self.settings.replica.follower(
                self._tritons_address, self._key, lambda: self._server_restarts, self._write_state, self._report
            )
            standing = self._follower.standing
        self_report = SelfReport(self.state_file, self._counts, standing, self._processes.total_bytes)
        return StateWriter(self.state_file, self_report, self._report)

    def _write_state(self) -> None:
        assert self._state_writer is not None
        self._state_writer.write()

    def _start_gates(self) -> None:
        assert self._folder is not None
        assert self._counts is not None
        given = self.settings
        file = self._folder / "gate.json"
        GateSettings(
            address=self._address,
            grpc_port=self._ports["grpc"],
            http_port=self._ports["http"],
            workers=given.gate_workers,
            triton=self._tritons_address,
            triton_key=self._key,
            repository=given.repository.absolute(),
            state=self.state_file,
            metrics=self._counts,
            keys=given.keys,
            tls=given.tls,
            access_log=given.access_log,
            access_log_texts=given.access_log_texts,
            limits=given.limits,
        ).write(file)
        ports = {self._ports["grpc"], self._ports["http"]}
        self._gates = GateProcesses(file, self.state_file, ports, self._counts, given.gate_workers, self._report)
        self._gates.start()

    def _wait_until_ready(self) -> None:
        """Waits for what all tasks need; for the rest not longer than a moment: one bad branch must not hold up all."""
        deadline = time.monotonic() + self.settings.startup_timeout
        ready_at = None
        while True:
            state, now = self.state, time.monotonic()
            if self._failed.is_set():
                self.wait()
            ready_at = (ready_at or now) if state.ready else None
            if ready_at is not None and (all(state.tasks.values()) or now - ready_at > _TASKS_SECONDS):
                time.sleep(_TOLD_SECONDS)
                return
            if now > deadline:
                raise ServeError(
                    f"the server was not ready after {self.settings.startup_timeout:g} seconds: {state.reason}"
                )
            time.sleep(_LOOK_SECONDS)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread. If its work fails, so does the server: unwatched, or silent to its gates, it would be of no use."""
        try:
            work()
        except BaseException as error:
            if not self._is_stopping.is_set():
                self._failure = error
                self._failed.set()
        self._is_over.wait()  # the processes that a thread has started end with it

    def _watch_all(self) -> None:
        while not self._is_stopping.wait(_LOOK_SECONDS):
            self._look()

    def _keep_writing(self) -> None:
        assert self._state_writer is not None
        while not self._is_over.wait(_WRITE_SECONDS):
            self._state_writer.count()
            self._state_writer.write()

    def _look(self) -> None:
        assert self._watch is not None
        assert self._gates is not None
        assert self._triton is not None
        self._gates.look()
        reason = self._triton.exit_reason()
        if reason is None:
            self._see_triton()
            self._watch.look()
            if self.settings.attached is None:
                reason = self._watch.beyond_repair
        if reason is not None:
            self._restart(reason)
        self._forget_ended()
        self._update()

    def _forget_ended(self) -> None:
        """Of processes that have ended, no gauge counts any more: a breaker that was open, say."""
        assert self._watch is not None
        assert self._gates is not None
        counting = {*self._gates.pids, *self._watch.pids}
        for pid in self._counting - counting:
            mark_process_dead(pid, str(self._counts))
        self._counting = counting

    def _see_triton(self) -> None:
        """Continues a tritonserver that somebody has stopped, or kills it, which is then seen as its end."""
        pid = self.triton_pid
        if pid is not None and (done := self._stopped.see(pid, is_stopped(pid), time.monotonic())):
            self._report(f"tritonserver: process {pid} {done}")

    def _restart(self, reason: str) -> None:
        """Starts tritonserver again, after a pause that grows. Raises ServeError once that has failed too often."""
        assert self._triton is not None
        assert self._watch is not None
        assert self._state_writer is not None
        if time.monotonic() - self._started_at > _WELL_SECONDS:
            self._restarts_in_row = 0
        while True:
            if self._restarts_in_row >= _RESTARTS:
                raise ServeError(f"tritonserver was started again {_RESTARTS} times in vain: {reason}")
            pause = _RESTART_PAUSES[self._restarts_in_row]
            self._restarts_in_row += 1
            self._server_restarts += 1
            self._state_writer.set(
                ready=False, reason="tritonserver is being started again", server_restarts=self._server_restarts
            )
            self._report(
                f"tritonserver: {reason.partition(':')[0]}: starting it again" + (f" in {pause:g} s" if pause else "")
            )
            self._watch.close()
            self._triton.kill()
            self._triton.stop()
            if self._is_stopping.wait(pause):
                return
            self._triton.tolerant = True  # one branch that cannot be loaded must not end all others
            try:
                self._triton.start()
            except ServeError as error:
                if self._is_stopping.is_set():
                    return
                reason = str(error)
                continue
            self._started_at = time.monotonic()
            self._watch = self._new_watch()
            self._report("tritonserver: is back")
            return

    def _update(self) -> None:
        assert self._watch is not None
        assert self._gates is not None
        assert self._state_writer is not None
        gate = ModelState(ready=self._gates.listen, restarts=self._gates.restarts)
        if not gate.ready:
            gate.reason = "no process listens"
        reason = f"gate: {gate.reason}" if not gate.ready else self._watch.unready
        self._state_writer.set(
            ready=reason is None,
            reason=reason or "",
            models=self._watch.models | {_GATE: gate},
            tasks=self._watch.tasks,
            server_restarts=self._server_restarts,
        )
