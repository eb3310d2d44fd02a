"""Acts on the outcomes of candidates: counts them, withdraws canaries, keeps examples of where shadows differ."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from router.canary_guard import CanaryGuard
from router.candidates import Candidates
from router.metrics import RouterMetrics
from router.registry import Canary, Registry
from router.registry_file import RegistryFile
from router.row import Row
from router.shadow_examples import ShadowExamples
from router.withdrawal import withdraw

_log = logging.getLogger(__name__)


# In the repository of a replica, which writes nothing to the shared folder: `espalier tend` withdraws for all replicas.
_VIEW = "replica_of"


class CandidateWatch:
    """Takes the outcomes of one batch after another."""

    def __init__(self, repository: Path, registry: RegistryFile, metrics: RouterMetrics) -> None:
        self._repository = repository
        self._registry = registry
        self._metrics = metrics
        self._is_replica = (repository / _VIEW).exists()
        self._guard = CanaryGuard(metrics)
        self._examples = ShadowExamples(repository)

    def take(self, candidates: Candidates, rows: Sequence[Row], registry: Registry) -> None:
        """Takes one batch's outcomes. rows: the batch's. registry: the state in which it was answered."""
        for version, outcome in candidates.outcomes.items():
            self._metrics.count_candidate(version, outcome)
            self._examples.keep(version, [(rows[row], *answers) for row, answers in outcome.differing.items()])
            canary = registry.tasks[version.task].canary
            if canary is not None and canary.version == version:
                reason = self._guard.judge(canary, outcome, rows)
                if reason is not None and self._registry.drop_canary(version):
                    self._end(canary, reason)

    def _end(self, canary: Canary, reason: str) -> None:
        _log.warning("canary %d of %s is withdrawn: %s", canary.version.number, canary.version.task, reason)
        if self._is_replica:
            self._metrics.set_dropped(canary.version)
            return
        # In a thread, because another process may be changing the repository for seconds, and callers must not wait for
        # that.
        arguments = (self._repository, canary, reason)
        threading.Thread(target=_write_down, args=arguments, name="withdrawal", daemon=True).start()


def _write_down(repository: Path, canary: Canary, reason: str) -> None:
    try:
        withdraw(repository, canary, reason)
    except Exception as error:  # a damaged registry.json can raise almost any
        _log.warning("the withdrawal cannot be written down, so each router judges it by itself: %s", error)
