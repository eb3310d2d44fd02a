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
from build_tools.serving.replica.standing import single_server_standing
from build_tools.serving.self_report import SelfReport
from build_tools.serving.state import ModelState, ServerState
from build_tools.serving.state_writer import StateWriter
from build_tools.serving.triton.attached_triton import AttachedTriton
from build_tools.serving.triton.ports import choose_ports, ipv4_address, reachable
from build_tools.serving.triton.resources import Resources
from build_tools.serving.triton.run_mark import RunMark
from build_tools.serving.triton.server import TritonServer
from build_tools.serving.triton.serving_folder import new_temporary_folder, remove_folder
from build_tools.serving.triton.triton_control import TritonControl
from build_tools.serving.triton.triton_key import new_triton_key
from build_tools.serving.watch.process_metrics import ProcessCollector
from build_tools.serving.watched_triton import WatchedTriton

_LOOK_SECONDS = 0.1
_WRITE_SECONDS = 0.5
_TOLD_SECONDS = 0.5  # for gates to read that the server is ready, or stops
_TASKS_SECONDS = 5.0  # for all tasks to be ready as well, at the start
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
        self._mark: RunMark | None = None
        self._triton: TritonServer | AttachedTriton | None = None
        self._watched: WatchedTriton | None = None
        self._gates: GateProcesses | None = None
        self._metrics: MetricsEndpoint | None = None
        self._follower: Follower | None = None
        self._state_writer: StateWriter | None = None
        self._processes = ProcessCollector(lambda: self.triton_pid, lambda: self.gate_pids)
        self._counting: set[int] = set()  # the processes that write to `_counts`, as they were seen last
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
        self._ports = choose_ports(self._address, wanted)
        try:
            self._folder = new_temporary_folder()
            self._mark = RunMark(self._folder)
            self._counts.mkdir(exist_ok=True)
            self._watched = watched = self._started_triton()
            self._state_writer = self._new_state_writer(watched)
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
            if self._watched is not None:
                self._watched.close()
            if self._metrics is not None:
                self._metrics.close()
            if self._folder is not None:
                remove_folder(self._folder)
            if self._mark is not None:
                self._mark.remove()
            self._triton = self._gates = self._watched = self._metrics = None
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
            return ServerState(ready=False, reason="it is starting", written_at=time.monotonic())
        return self._state_writer.state

    @property
    def state_file(self) -> Path:
        """Where the gates read it."""
        return self._own_folder / "state.json"

    @property
    def _own_folder(self) -> Path:
        if self._folder is None:
            raise ServeError(f"the server of {self.settings.repository} is not running")
        return self._folder

    @property
    def _counts(self) -> Path:
        """The folder of prometheus_client's multiprocess mode."""
        return self.settings.attached_counts or self._own_folder / "metrics"

    def _url(self, endpoint: str) -> str:
        _ = self._own_folder  # raises ServeError if the server does not run
        return f"{reachable(self._address)}:{self._ports[endpoint]}"

    @property
    def _tritons_metrics(self) -> str | None:
        return self.settings.attached_metrics if self.settings.attached else f"{_LOOPBACK}:{self._private['metrics']}"

    @property
    def _tritons_address(self) -> str:
        return self.settings.attached or f"{_LOOPBACK}:{self._private['grpc']}"

    def _started_triton(self) -> WatchedTriton:
        given = self.settings
        steps = self._own_folder / "steps"
        steps.mkdir()
        if given.attached is not None:
            self._key = given.attached_key or ""
            self._triton = AttachedTriton(given.attached, given.attached_key, given.startup_timeout)
        else:
            self._key = new_triton_key()
            # Chosen once: the gates find a server that was started again at the same place.
            self._private = choose_ports(_LOOPBACK, {"grpc": None, "metrics": None})
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
                steps=steps,
            )
        self._triton.start()
        control = TritonControl(self._tritons_address, self._key or None)
        return WatchedTriton(
            self._triton, control, given.repository, steps, self._report, self._tell_restart, self._is_stopping
        )

    def _new_state_writer(self, watched: WatchedTriton) -> StateWriter:
        standing = single_server_standing(self.settings.repository)
        if self.settings.replica is not None:
            self._follower = self.settings.replica.follower(
                self._tritons_address, self._key, lambda: watched.restarts, self._write_state, self._report
            )
            standing = self._follower.standing
        self_report = SelfReport(self.state_file, self._counts, standing, self._processes.total_bytes)
        return StateWriter(self.state_file, self_report, self._report)

    def _write_state(self) -> None:
        assert self._state_writer is not None
        self._state_writer.write()

    def _start_gates(self) -> None:
        given = self.settings
        file = self._own_folder / "gate.json"
        GateSettings(
            address=self._address,
            grpc_port=self._ports["grpc"],
            http_port=self._ports["http"],
            workers=given.gate_workers,
            triton=self._tritons_address,
            triton_key=self._key,
            repository=given.repository.absolute(),
            state=self.state_file,
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
        assert self._gates is not None
        assert self._watched is not None
        self._gates.look()
        self._watched.look()
        self._forget_ended()
        self._update()

    def _forget_ended(self) -> None:
        """Of processes that have ended, no gauge counts any more: a breaker that was open, say."""
        assert self._gates is not None
        assert self._watched is not None
        counting = {*self._gates.pids, *self._watched.watch.pids}
        for pid in self._counting - counting:
            mark_process_dead(pid, str(self._counts))
        self._counting = counting

    def _tell_restart(self) -> None:
        assert self._watched is not None
        assert self._state_writer is not None
        self._state_writer.set(
            ready=False, reason="tritonserver is being started again", server_restarts=self._watched.restarts
        )

    def _update(self) -> None:
        assert self._gates is not None
        assert self._watched is not None
        assert self._state_writer is not None
        watch = self._watched.watch
        gate = ModelState(ready=self._gates.listen, restarts=self._gates.restarts)
        if not gate.ready:
            gate.reason = "no process listens"
        reason = f"gate: {gate.reason}" if not gate.ready else watch.unready
        self._state_writer.set(
            ready=reason is None,
            reason=reason or "",
            models=watch.models | {_GATE: gate},
            tasks=watch.tasks,
            server_restarts=self._watched.restarts,
        )
