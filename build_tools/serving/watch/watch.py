"""Watches the models of one Triton, and has those brought back that are dead or hang."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.grpc import service_pb2

from build_tools.errors import BuildError
from build_tools.repository.names import ROUTERS
from build_tools.repository.registry import REGISTRY, Registry, read_registry
from build_tools.serving.backoff import pause_after
from build_tools.serving.errors import ServeError
from build_tools.serving.state import ModelState
from build_tools.serving.triton.triton_control import Loaded, ModelVersion, TritonControl
from build_tools.serving.watch.hung_processes import HungProcesses
from build_tools.serving.watch.model_health import PROBE_EVERY, PROBE_PATIENCE, ModelHealth, Progress
from build_tools.serving.watch.model_processes import ModelProcess, ProcessTable
from build_tools.serving.watch.needed_models import needed_by_all, needed_for, needed_models
from build_tools.serving.watch.probes import probe
from build_tools.serving.watch.revival import Revival
from build_tools.serving.watch.stopped_processes import StoppedProcesses
from build_tools.serving.watch.verdict import verdict

_INDEX_EVERY = 0.5
# Without an answer from Triton itself, before it counts as hung: so long, and so many questions in a row, because this
# process may have been suspended itself.
_SILENT_SECONDS, _SILENT_QUESTIONS = 20.0, 5
_SILENT_LOOKS = 3  # without an answer, before the server counts as not ready
_MISSING_SECONDS = 5.0  # for a model that the registry needs and Triton has not loaded: a command may be about to
_PROBERS, _REVIVERS = 8, 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # between two attempts to bring a model back
_DRAIN_SECONDS = 10.0  # for the replaced processes to finish what they have begun
_WELL_SECONDS = 10.0  # a model that is lost again sooner was not really back
_ATTEMPTS = 3  # for a model that all tasks need, before the whole server is started again

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Look:
    """One look at Triton. at: when it began."""

    at: float
    loaded: Loaded
    done: Mapping[ModelVersion, int]
    configs: Mapping[str, pb.ModelConfig]


@dataclass
class _Attempts:
    """To bring a model back. running: the one that goes on now. old: the processes that it replaces.

    failed: in a row. back_at: since when the model is back.
    """

    running: Future[bool] | None = None
    old: frozenset[int] = frozenset()
    reason: str = ""
    failed: int = 0
    next_at: float = 0.0
    back_at: float | None = None


@dataclass(frozen=True)
class _Probe:
    """A question that has not been answered yet."""

    answer: Future[ServeError | None]
    asked_at: float
    before: Progress


class Watch:
    """The models of one Triton, which may not be started again under it. `look` must be called several times a second.

    models: {model: its state}, of those that have processes or that the registry needs.
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
        self._revival = Revival(triton, repository, own_backends=processes is not None)
        self._stopped = StoppedProcesses()
        self._hung = HungProcesses(steps)
        self._replaced: dict[int, float] = {}  # processes of earlier loads that still live: since when
        self._lookers = ThreadPoolExecutor(1, "look")
        self._probers = ThreadPoolExecutor(_PROBERS, "probe")
        self._revivers = ThreadPoolExecutor(_REVIVERS, "revive")
        self._looking: Future[_Look] | None = None
        self._seen: _Look | None = None
        self._changed: set[str] = set()  # models whose config may have changed since
        self._unanswered = 0
        self._unanswered_since = 0.0
        self._health: dict[ModelVersion, ModelHealth] = {}
        self._probes: dict[ModelVersion, _Probe] = {}
        self._probed_at: dict[ModelVersion, float] = {}
        self._attempts: dict[str, _Attempts] = {}
        self._missing_since: dict[str, float] = {}
        self._registry: Registry | None = None
        self._registry_time = 0
        self._registry_read_at = 0.0
        self._registry_problem = ""
        self._was_ready = False
        self.models: dict[str, ModelState] = {}
        self.tasks: dict[str, bool] = {}

    def close(self) -> None:
        """Ends the threads, without waiting for what they have asked of Triton."""
        for pool in (self._lookers, self._probers, self._revivers):
            pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Takes note of what has happened, and begins what is to be done. Returns at once."""
        now = time.monotonic()
        processes = self._processes.read(complete=self._lacks_processes) if self._processes else []
        living = {one.pid for one in processes}
        self._end_replaced(living, now)
        self._hung.keep(living)
        processes = [one for one in processes if one.pid not in self._replaced]
        for one in processes:
            if done := self._stopped.see(one.pid, one.stopped, now) or self._hung.see(one.pid, now):
                self._say(one.version[0], f"process {one.pid} {done}")
        self._look_at_triton(now)
        self._read_registry()
        self._settle_attempts(now)
        if self._seen is None:
            return
        self._collect_probes(processes, now)
        self._begin_probes(self._seen, processes, now)
        for model, reason in self._lost(self._seen, processes, now).items():
            self._revive(model, reason, processes, now)
        self._describe()

    @property
    def unready(self) -> str | None:
        """Why this server cannot answer, or None: router and trunks work, and a registry is adopted."""
        if self._seen is None:
            return "Triton has not been asked yet"
        if self._unanswered >= _SILENT_LOOKS:
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
        silent = time.monotonic() - self._unanswered_since
        if self._unanswered >= _SILENT_QUESTIONS and silent > _SILENT_SECONDS:
            return f"Triton has not answered for {_SILENT_SECONDS:.0f} seconds"
        for model in sorted(needed_by_all(self._registry)):
            attempts = self._attempts.get(model)
            if attempts is not None and attempts.failed >= _ATTEMPTS:
                return f"{model} cannot be brought back ({attempts.reason})"
        return None

    @property
    def _lacks_processes(self) -> bool:
        return any(health.lacks_processes for health in self._health.values())

    def _look_at_triton(self, now: float) -> None:
        if self._looking is not None and self._looking.done():
            try:
                self._seen = self._looking.result()
                self._unanswered = 0
            except ServeError as error:
                self._unanswered_since = self._unanswered_since if self._unanswered else now
                self._unanswered += 1
                _log.info("Triton does not answer: %s", error)
            self._looking = None
        if self._looking is None and (
            self._seen is None or self._lacks_processes or now - self._seen.at >= _INDEX_EVERY
        ):
            self._looking = self._lookers.submit(self._ask_triton, self._seen, frozenset(self._changed))
            self._changed.clear()

    def _ask_triton(self, last: _Look | None, changed: frozenset[str]) -> _Look:
        at = time.monotonic()
        loaded = self._triton.loaded()
        configs = {}
        for model in {name for name, _ in loaded.ready}:
            # A config may change only when versions do, or when the model is brought back.
            is_same = last is not None and _versions(model, last.loaded) == _versions(model, loaded)
            known = last.configs.get(model) if last is not None and is_same and model not in changed else None
            configs[model] = known or self._triton.config(model)
        return _Look(at, loaded, self._triton.done(), configs)

    def _read_registry(self) -> None:
        try:
            changed = (self._repository / REGISTRY).stat().st_mtime_ns
        except OSError:
            changed = -1
        if changed == self._registry_time:
            return
        self._registry_time = changed
        now, problem = time.monotonic(), ""
        try:
            self._registry, self._registry_read_at = read_registry(self._repository), now
        except BuildError as error:
            problem = str(error)
        except OSError as error:  # of a folder that is away, or of who wrote the file: it may pass
            problem = f"{self._repository / REGISTRY} cannot be read ({error.strerror})."
            self._registry_time = 0
        if problem and problem != self._registry_problem:
            self._report(f"registry: {problem} The last good one stays in force.")
        self._registry_problem = problem

    def _collect_probes(self, processes: list[ModelProcess], now: float) -> None:
        for version, asked in list(self._probes.items()):
            if not asked.answer.done():
                continue
            del self._probes[version]
            self._probed_at[version] = now
            error = asked.answer.result()
            found = verdict(error, version[0] in ROUTERS)
            after = self._progress(version, processes)
            self._health[version].note(found, str(error or ""), asked.asked_at, now, asked.before, after)

    def _begin_probes(self, seen: _Look, processes: list[ModelProcess], now: float) -> None:
        watched = {version for version in seen.loaded.ready if seen.configs[version[0]].platform != "ensemble"}
        for gone in self._health.keys() - watched:
            del self._health[gone]
            self._probes.pop(gone, None)
            self._probed_at.pop(gone, None)
        for version in watched:
            # One that a command has loaded while all works is taken at its word: the command asks it before the
            # registry names it, and nobody may be refused until its first probe.
            health = self._health.setdefault(version, ModelHealth(has_answered=self._was_ready))
            is_due = health.is_suspect or now - self._probed_at.get(version, -PROBE_EVERY) >= PROBE_EVERY
            if is_due and version not in self._probes and not self._is_reviving(version[0]):
                request = probe(version, seen.configs[version[0]])
                if request is None:
                    continue
                streamed = seen.configs[version[0]].model_transaction_policy.decoupled
                answer = self._probers.submit(self._ask, request, streamed)
                self._probes[version] = _Probe(answer, now, self._progress(version, processes))

    def _ask(self, request: service_pb2.ModelInferRequest, streamed: bool) -> ServeError | None:
        try:
            self._triton.ask(request, streamed, PROBE_PATIENCE)
        except ServeError as error:
            return error
        return None

    def _progress(self, version: ModelVersion, processes: Iterable[ModelProcess]) -> Progress:
        done = self._seen.done.get(version, 0) if self._seen else 0
        return Progress(done, sum(one.cpu_seconds for one in processes))

    def _lost(self, seen: _Look, processes: list[ModelProcess], now: float) -> dict[str, str]:
        """{model: why it must be brought back}."""
        lost: dict[str, str] = {}
        for version, health in self._health.items():
            model = version[0]
            if self._processes is not None:
                living = self._living(version, processes)
                since = health.count_processes(living, _instances(seen.configs[model]), now)
                # A model that is just being unloaded or swapped has fewer processes too, and those of one that was just
                # loaded may not have been found yet: so both are asked again after they were missed.
                asked_at = min(seen.at, self._processes.complete_at)
                if since is not None and asked_at > since and model not in seen.loaded.busy:
                    lost[model] = f"{living} of {_instances(seen.configs[model])} processes are left"
            if health.reason is not None:
                lost.setdefault(model, health.reason)
        loaded = {name for name, _ in seen.loaded.ready}
        missing = {model for model in needed_models(self._registry) if model not in loaded | seen.loaded.busy}
        self._missing_since = {model: self._missing_since.get(model, now) for model in missing}
        for model, since in self._missing_since.items():
            if now - since > _MISSING_SECONDS:
                lost[model] = "it is not loaded"
        return lost

    def _living(self, version: ModelVersion, processes: list[ModelProcess]) -> int:
        """How many processes of a version serve: not those that are just being started to replace them."""
        attempts = self._attempts.get(version[0])
        old = attempts.old if attempts is not None and attempts.running is not None else None
        return sum(one.version == version and (old is None or one.pid in old) for one in processes)

    def _revive(self, model: str, reason: str, processes: list[ModelProcess], now: float) -> None:
        attempts = self._attempts.setdefault(model, _Attempts())
        if attempts.running is not None or now < attempts.next_at:
            return
        if attempts.back_at is not None:
            attempts.failed = 0 if now - attempts.back_at > _WELL_SECONDS else attempts.failed + 1
        attempts.reason = reason
        attempts.old = frozenset(one.pid for one in processes if one.version[0] == model)
        self._restarts[model] = self._restarts.get(model, 0) + 1
        self._say(model, f"{reason}: bringing it back")
        if any(one[0] == model and health.hangs for one, health in self._health.items()):
            for pid in attempts.old:  # it would keep its requests, and its right to compute, for ever
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        works = any(one[0] == model and health.works for one, health in self._health.items())
        attempts.running = self._revivers.submit(self._revival.revive, model, time.time_ns(), not works)

    def _settle_attempts(self, now: float) -> None:
        for model, attempts in self._attempts.items():
            if attempts.running is None or not attempts.running.done():
                continue
            done, attempts.running = attempts.running, None
            error = done.exception()
            attempts.back_at = now if error is None else None
            attempts.failed += error is not None
            pause = pause_after(attempts.failed, _FIRST_PAUSE, _LONGEST_PAUSE)
            attempts.next_at = now + pause
            if error is None:
                self._say(model, "is back" if done.result() else "is not needed any more")
            else:
                attempts.reason = str(error)
                self._say(model, f"could not be brought back, next attempt in {pause:g} s: {error}")
                continue
            self._changed.add(model)
            self._replaced |= dict.fromkeys(attempts.old, now)
            for version in [one for one in self._health if one[0] == model]:
                self._health[version].begin_again()
                self._probes.pop(version, None)
                self._probed_at.pop(version, None)

    def _end_replaced(self, living: set[int], now: float) -> None:
        """Ends processes that Triton has replaced and forgotten: beside a dead one, it keeps the others for ever."""
        for pid, since in list(self._replaced.items()):
            if pid not in living:
                del self._replaced[pid]
            elif now - since > _DRAIN_SECONDS:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _is_reviving(self, model: str) -> bool:
        attempts = self._attempts.get(model)
        return attempts is not None and attempts.running is not None

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
        """Whether the registry is newer than the last look at Triton.

        The command that wrote it has asked what it names, so nobody may be refused until Triton has been looked at.
        """
        return self._was_ready and self._seen is not None and self._seen.at < self._registry_read_at

    def _works(self, model: str, version: int) -> bool:
        health = self._health.get((model, version))
        if health is None:
            return self._is_taken_at_its_word
        return health.works and health.waits is None

    def _say(self, model: str, what: str) -> None:
        self._report(f"{model}: {what}")


def _versions(model: str, loaded: Loaded) -> set[int]:
    return {version for name, version in loaded.ready if name == model}


def _instances(config: pb.ModelConfig) -> int:
    return sum(group.count for group in config.instance_group) or 1
