"""Finds the canaries of a registry that break their bounds, by what all servers together have seen of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from build_tools.repository.registry import CanaryEntry, Registry
from build_tools.repository.replica_state import CandidateCounts, ReplicaState
from build_tools.tending.canary_sums import KEPT, CanarySums
from build_tools.tending.label_sums import LabelSums, shift_beyond_chance


@dataclass(frozen=True)
class Verdict:
    """A canary that is to be withdrawn, and why."""

    task: str
    version: int
    reason: str


@dataclass
class _Trial:
    """What was seen of one canary, and of the live version beside it."""

    sums: CanarySums = field(default_factory=CanarySums)
    labels: LabelSums = field(default_factory=LabelSums)
    live_labels: LabelSums = field(default_factory=LabelSums)


class CanaryJudge:
    """Remembers what it has seen of each canary. One that is started anew begins with all that the servers have."""

    def __init__(self, routers_per_server: int) -> None:
        """routers_per_server: router processes of each server."""
        self._routers = routers_per_server
        self._trials: dict[tuple[str, int], _Trial] = {}

    def judge(self, registry: Registry, servers: Mapping[str, ReplicaState]) -> list[Verdict]:
        """Adds what the servers say now. servers: {ReplicaState.server: its state}, of those that answer."""
        canaries = {
            (task, entry.canary.version): (entry.canary, entry.live)
            for task, entry in registry.tasks.items()
            if entry.canary
        }
        self._trials = {canary: self._trials.get(canary, _Trial()) for canary in canaries}
        found = []
        for (task, version), (terms, live) in canaries.items():
            trial = self._trials[task, version]
            dropped_by = _add(trial, {name: one.counts.get(task, {}) for name, one in servers.items()}, version, live)
            if dropped_by:
                reason: str | None = f"a router on {dropped_by} has found it out of bounds, and says why in its log"
            else:
                # Of all servers that have counted, whether or not they answer now: that is what the sums are of.
                reason = trial.sums.judge(terms) or _judge_labels(trial, terms, self._routers * trial.labels.servers)
            if reason is not None:
                found.append(Verdict(task, version, reason))
        return found


def _add(trial: _Trial, servers: Mapping[str, Mapping[int, CandidateCounts]], version: int, live: int) -> str:
    """Returns the name of a server of which a router has dropped the canary, if there is one."""
    dropped_by = ""
    for server, counts in sorted(servers.items()):
        own = counts.get(version, CandidateCounts())
        trial.sums.add(server, own)
        trial.labels.add(server, own)
        trial.live_labels.add(server, counts.get(live, CandidateCounts()))
        dropped_by = server if own.dropped else dropped_by
    return dropped_by


def _judge_labels(trial: _Trial, terms: CanaryEntry, routers: int) -> str | None:
    own, live = trial.labels, trial.live_labels
    for sample in (own, live):
        if sample.texts > KEPT * terms.minimum:
            sample.halve()
    if terms.max_label_shift >= 1 or min(own.independent(routers), live.independent(routers)) < terms.minimum:
        return None
    shift, chance = shift_beyond_chance(own, live, routers)
    if shift - chance <= terms.max_label_shift:
        return None
    return (
        f"the labels of {own.texts:.0f} texts on all servers are {shift:.0%} away from those of the live version, "
        f"{chance:.0%} of which chance may explain; the limit beyond that is {terms.max_label_shift:.0%}"
    )
