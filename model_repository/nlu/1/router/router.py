"""Rows -> answers, one batch after another."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from freed_memory import FreedMemory

from router.batch_clock import BatchClock
from router.bls import is_loaded
from router.branch_layers import BranchLayers
from router.breakers import Breakers
from router.call_threads import CallThreads
from router.candidate_watch import CandidateWatch
from router.candidates import Candidates
from router.climb import Climb
from router.equipment import Equipment
from router.metrics import RouterMetrics
from router.registry import Registry
from router.registry_file import RegistryFile
from router.result_cache import ResultCache
from router.row import Row, TaskAnswers, error_answers
from router.sequence_plan import SequencePlanner
from router.served_models import called_models
from router.serving_lock import hold_serving_lock
from router.tracing import Tracing
from router.trunk import Trunk

# Used where `espalier serve` does not set the variable: its choice for two cores.
_AT_ONCE = "3"


class Router:
    """Tokenizes rows, groups them by length, and carries the trunk's hidden states to the branches.

    clock: for `with clock.batch()` around all that is done with a batch.
    """

    def __init__(self, repository: Path, model: str) -> None:
        """model: the Triton model that this router answers for, `nlu` or `nlu_stream`."""
        self._serving_lock = hold_serving_lock(repository)
        self._planner = SequencePlanner(repository)
        self._metrics = RouterMetrics(model)
        self._registry = RegistryFile(repository, self._metrics, is_loaded)
        self._latest: Registry | None = None
        self._watch = CandidateWatch(repository, self._registry, self._metrics)
        # Triton's rate limiter decides which calls compute. One call more than compute at once waits there, ready to
        # start when another one ends.
        at_once = int(os.environ.get("ESPALIER_AT_ONCE", _AT_ONCE)) + 1
        self.clock = BatchClock()
        self._equipment = Equipment(
            trunk=Trunk.from_environment(),
            calls=CallThreads(at_once),
            cache=ResultCache(int(os.environ.get("ESPALIER_RESULT_CACHE_BYTES", "0"))),
            breakers=Breakers(self._metrics, self.clock),
            metrics=self._metrics,
            layers=BranchLayers(repository),
        )
        # A stream's first answers need not wait for the deepest tap; for one response, one call is the cheapest.
        self._by_tap = model == "nlu_stream"
        self._tracing = Tracing(model)
        self._freed_memory = FreedMemory()

    def registry(self) -> Registry:
        """Returns the present registry. Use the same one for a batch from beginning to end.

        Raises UnavailableError if none has ever been fit to be served.
        """
        registry = self._registry.read()
        if registry is not self._latest:
            self._latest = registry
            self._equipment.breakers.keep(called_models(registry))
            layers = {version: self._equipment.layers(version) for version in registry.versions}
            self._metrics.set_layers(layers)
        return registry

    def close(self) -> None:
        """Shows what was counted last, and sends the last spans. Call it once, when nothing is asked any more."""
        self._equipment.calls.close()
        self._metrics.close()
        self._tracing.close()

    def answer(self, rows: Sequence[Row], registry: Registry) -> Iterator[tuple[str, TaskAnswers]]:
        """Yields (task, its answers for some of the rows) as each branch is done; each row and task comes once.

        A branch that fails yields an error for its task alone. Rows whose callers are gone may get no answer. Raises
        RuntimeError if the trunk fails.
        """
        self._metrics.count_batch(len(rows))
        cache = self._equipment.cache
        asked, known = cache.look_up(rows, registry)
        yield from known.items()
        trace = self._tracing.batch(asked)
        with trace.step("tokenize", range(len(asked))):
            plan = self._planner.plan(asked, registry)
        candidates = Candidates(registry)
        for version, errors in plan.errors.items():
            if not registry.tasks[version.task].live.is_pair:  # else the live version could not have answered either
                candidates.add(version, {}, errors=len(errors), seconds=None)
            self._metrics.count_errors(version, len(errors), "invalid")
            yield version.task, error_answers(errors)
        if plan.encodings:
            climb = Climb(asked, plan, self._equipment, candidates, trace, registry.fused, self._by_tap)
            try:
                yield from climb.answers()
            finally:
                self._tracing.take(trace, asked)
            self._metrics.count_tokens(climb.tokens, climb.padding)
        self._watch.take(candidates, asked, registry)
        self._freed_memory.after(sum(len(row.text) + len(row.pair or "") for row in rows))
        self._metrics.set_cache_totals(cache.hits, cache.misses)
