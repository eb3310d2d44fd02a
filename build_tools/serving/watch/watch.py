"""Watches the models of one Triton, and has those brought back that are dead or hang."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.grpc import service_pb2

from build_tools.errors import BuildError
from build_tools.repository.names import ROUTERS
from build_tools.repository.registry import REGISTRY, Registry, read_registry
from build_tools.serving.errors import ServeError
from build_tools.serving.state import ModelState
from build_tools.serving.triton.triton_control import ModelVersion, TritonControl
from build_tools.serving.watch.hung_processes import HungProcesses
from build_tools.serving.watch.inventory import Inventories, Inventory
from build_tools.serving.watch.model_health import PROBE_EVERY, PROBE_PATIENCE, ModelHealth, Progress
from build_tools.serving.watch.model_processes import ModelProcess, ProcessTable
from build_tools.serving.watch.needed_models import needed_by_all, needed_for, needed_models
from build_tools.serving.watch.probes import probe
from build_tools.serving.watch.revival import Revival
from build_tools.serving.watch.revival_attempts import RevivalAttempts
from build_tools.serving.watch.stopped_processes import StoppedProcesses
from build_tools.serving.watch.verdict import verdict

_MISSING_SECONDS = 5.0  # for a model that the registry needs and Triton has not loaded: a command may be about to
_PROBERS = 8


@dataclass(frozen=True)
class _Probe:
    """A question that has not been answered yet."""

    answer: Future[ServeError | None]
    asked_at: float
    before: Progress


class Watch:
    """The models of one Triton, which may not be started again under it. `look` must be called several times a second.

    models: {model: its state}, of those that have processes or that the registry needs. pids: of the processes of
    models, as they were seen last.
    """

    def __init__(
        self,
        triton: TritonControl,
        repository: Path,
        processes: ProcessTable | None,
        report: Callable[[str], None],
        restarts: dict[str, int],
        steps: Path | None = None,
    ) -> None:
        """processes: None if they cannot be seen. report: is given a line for events. restarts: by model, to add to.

        steps: the folder in which the processes tell how long their steps should take; None if they do not.
        """
        self._triton = triton
        self._repository = repository
        self._processes = processes
        self._report = report
        self._restarts = restarts
        self._inventories = Inventories(triton)
        revival = Revival(triton, repository, own_backends=processes is not None)
        self._revivals = RevivalAttempts(revival, restarts, self._say)
        self._stopped = StoppedProcesses()
        self._hung = HungProcesses(steps)
        self._probers = ThreadPoolExecutor(_PROBERS, "probe")
        self._health: dict[ModelVersion, ModelHealth] = {}
        self._probes: dict[ModelVersion, _Probe] = {}
        self._probed_at: dict[ModelVersion, float] = {}
        self._missing_since: dict[str, float] = {}
        self._registry: Registry | None = None
        self._registry_seen: tuple[int, int] | None = (0, 0)
        self._registry_read_at = 0.0
        self._registry_problem = ""
        self._was_ready = False
        self.models: dict[str, ModelState] = {}
        self.tasks: dict[str, bool] = {}
        self.pids: set[int] = set()

    def close(self) -> None:
        """Ends the threads, without waiting for what they have asked of Triton."""
        self._inventories.close()
        self._revivals.close()
        self._probers.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Takes note of what has happened, and begins what is to be done. Returns at once."""
        now = time.monotonic()
        processes = self._processes.read(complete=self._lacks_processes) if self._processes else []
        living = {one.pid for one in processes}
        for pid in self.pids - living:
            self._stopped.forget(pid)
        self.pids = living
        self._revivals.end_replaced(living, now)
        self._hung.keep(living)
        processes = [one for one in processes if not self._revivals.has_replaced(one.pid)]
        for one in processes:
            if done := self._stopped.see(one.pid, one.stopped, now) or self._hung.see(one.pid, now):
                self._say(one.version[0], f"process {one.pid} {done}")
        self._inventories.look(now, is_urgent=self._lacks_processes)
        self._read_registry()
        for model in self._revivals.collect(now):
            self._begin_again(model)
        inventory = self._inventories.newest
        if inventory is None:
            return
        self._collect_probes(inventory, processes, now)
        self._begin_probes(inventory, processes, now)
        for model, reason in self._lost(inventory, processes, now).items():
            health = [one for (name, _), one in self._health.items() if name == model]
            pids = [one.pid for one in processes if one.version[0] == model]
            hangs, works = any(one.hangs for one in health), any(one.works for one in health)
            self._revivals.begin(model, reason, pids, hangs, works, now)
        self._describe()

    @property
    def unready(self) -> str | None:
        """Why this server cannot answer, or None: router and trunks work, and a registry is adopted."""
        if self._inventories.newest is None:
            return "Triton has not been asked yet"
        if self._inventories.is_silent:
            return "Triton does not answer"
        if self._registry is None:
            return f"there is no {REGISTRY} that can be read"
        for model in sorted(needed_by_all(self._registry)):
            state = self.models.get(model)
            if state is None or not state.ready:
                return f"{model}: {state.reason if state else 'it is not loaded'}"
        return None

    @property
    def beyond_repair(self) -> str | None:
        """Why the server must be started again as a whole, or None."""
        if (reason := self._inventories.hang_reason) is not None:
            return reason
        for model in sorted(needed_by_all(self._registry)):
            if (reason := self._revivals.in_vain(model)) is not None:
                return f"{model} cannot be brought back ({reason})"
        return None

    @property
    def _lacks_processes(self) -> bool:
        return any(health.lacks_processes for health in self._health.values())

    def _read_registry(self) -> None:
        seen = _stamp(self._repository / REGISTRY)
        if seen == self._registry_seen:
            return
        self._registry_seen = seen
        now, problem = time.monotonic(), ""
        try:
            self._registry, self._registry_read_at = read_registry(self._repository), now
        except BuildError as error:
            problem = str(error)
        except OSError as error:  # of a folder that is away, or of who wrote the file: it may pass
            problem = f"{self._repository / REGISTRY} cannot be read ({error.strerror})."
            self._registry_seen = (0, 0)
        if problem and problem != self._registry_problem:
            self._report(f"registry: {problem} The last good one stays in force.")
        self._registry_problem = problem

    def _collect_probes(self, inventory: Inventory, processes: list[ModelProcess], now: float) -> None:
        for version, asked in list(self._probes.items()):
            if not asked.answer.done():
                continue
            del self._probes[version]
            self._probed_at[version] = now
            error = asked.answer.result()
            found = verdict(error, version[0] in ROUTERS)
            after = _progress(version, inventory, processes)
            self._health[version].note(found, str(error or ""), asked.asked_at, now, asked.before, after)

    def _begin_probes(self, inventory: Inventory, processes: list[ModelProcess], now: float) -> None:
        configs = inventory.configs
        watched = {version for version in inventory.loaded.ready if configs[version[0]].platform != "ensemble"}
        for gone in self._health.keys() - watched:
            del self._health[gone]
            self._probes.pop(gone, None)
            self._probed_at.pop(gone, None)
        for version in watched:
            # One that a command has loaded while all works is taken at its word: the command asks it before the
            # registry names it, and nobody may be refused until its first probe.
            health = self._health.setdefault(version, ModelHealth(has_answered=self._was_ready))
            is_due = health.is_suspect or now - self._probed_at.get(version, -PROBE_EVERY) >= PROBE_EVERY
            is_reviving = self._revivals.being_replaced(version[0]) is not None
            if is_due and version not in self._probes and not is_reviving:
                request = probe(version, configs[version[0]])
                if request is None:
                    continue
                streamed = configs[version[0]].model_transaction_policy.decoupled
                answer = self._probers.submit(self._ask, request, streamed)
                self._probes[version] = _Probe(answer, now, _progress(version, inventory, processes))

    def _ask(self, request: service_pb2.ModelInferRequest, streamed: bool) -> ServeError | None:
        try:
            self._triton.ask(request, streamed, PROBE_PATIENCE)
        except ServeError as error:
            return error
        return None

    def _lost(self, inventory: Inventory, processes: list[ModelProcess], now: float) -> dict[str, str]:
        """{model: why it must be brought back}."""
        lost: dict[str, str] = {}
        for version, health in self._health.items():
            model = version[0]
            if self._processes is not None:
                living, wanted = self._living(version, processes), _instances(inventory.configs[model])
                since = health.count_processes(living, wanted, now)
                # A model that is just being unloaded or swapped has fewer processes too, and those of one that was just
                # loaded may not have been found yet: so both are asked again after they were missed.
                asked_at = min(inventory.at, self._processes.complete_at)
                if since is not None and asked_at > since and model not in inventory.loaded.busy:
                    lost[model] = f"{living} of {wanted} processes are left"
            if health.reason is not None:
                lost.setdefault(model, health.reason)
        there = {name for name, _ in inventory.loaded.ready} | inventory.loaded.busy
        missing = needed_models(self._registry) - there
        self._missing_since = {model: self._missing_since.get(model, now) for model in missing}
        for model, since in self._missing_since.items():
            if now - since > _MISSING_SECONDS:
                lost[model] = "it is not loaded"
        return lost

    def _living(self, version: ModelVersion, processes: list[ModelProcess]) -> int:
        """How many processes of a version serve: not those that are just being started to replace them."""
        old = self._revivals.being_replaced(version[0])
        return sum(one.version == version and (old is None or one.pid in old) for one in processes)

    def _begin_again(self, model: str) -> None:
        """A model that was brought back: nothing that was found of its old processes counts any more."""
        self._inventories.ask_config_again(model)
        for version in [one for one in self._health if one[0] == model]:
            self._health[version].begin_again()
            self._probes.pop(version, None)
            self._probed_at.pop(version, None)

    def _describe(self) -> None:
        models: dict[str, ModelState] = {}
        for (model, _), health in self._health.items():
            why = health.reason or health.waits or ("" if health.has_answered else "it has not answered yet")
            if health.living == 0:
                why = "its process has ended"
            state = models.setdefault(model, ModelState(ready=True, restarts=self._restarts.get(model, 0)))
            if why:
                state.ready, state.reason = False, why
        for model in needed_models(self._registry) - models.keys():
            reason = "" if self._is_taken_at_its_word else "it is not loaded"
            models[model] = ModelState(ready=not reason, reason=reason, restarts=self._restarts.get(model, 0))
        self.models = models
        self._was_ready = self._was_ready or self.unready is None
        self.tasks = (
            {name: self._answers(self._registry, name) for name in self._registry.tasks} if self._registry else {}
        )

    def _answers(self, registry: Registry, task: str) -> bool:
        return all(self.models[router].ready for router in ROUTERS) and all(
            self.models[model].ready if version is None else self._works(model, version)
            for model, version in needed_for(registry, task).items()
        )

    @property
    def _is_taken_at_its_word(self) -> bool:
        """Whether the registry is newer than what Triton has said last.

        The command that wrote it has asked what it names, so nobody may be refused until Triton has been asked again.
        """
        newest = self._inventories.newest
        return self._was_ready and newest is not None and newest.at < self._registry_read_at

    def _works(self, model: str, version: int) -> bool:
        health = self._health.get((model, version))
        if health is None:
            return self._is_taken_at_its_word
        return health.works and health.waits is None

    def _say(self, model: str, what: str) -> None:
        self._report(f"{model}: {what}")


def _stamp(file: Path) -> tuple[int, int] | None:
    """Changes with the file: one that is replaced has a new inode even within one tick of the clock."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def _progress(version: ModelVersion, inventory: Inventory, processes: Iterable[ModelProcess]) -> Progress:
    return Progress(inventory.done.get(version, 0), sum(one.cpu_seconds for one in processes))


def _instances(config: pb.ModelConfig) -> int:
    return sum(group.count for group in config.instance_group) or 1
