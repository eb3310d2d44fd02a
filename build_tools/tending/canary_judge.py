"""Finds the canaries of a registry that break their bounds, by what all servers together have seen of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from build_tools.repository.registry import Registry
from build_tools.repository.replica_state import CandidateCounts, ReplicaState
from build_tools.tending.canary_sums import CanarySums


@dataclass(frozen=True)
class Verdict:
    """A canary that is to be withdrawn, and why."""

    task: str
    version: int
    reason: str


class CanaryJudge:
    """Remembers what it has seen of each canary. One that is started anew begins with all that the servers have."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], CanarySums] = {}

    def judge(self, registry: Registry, servers: Mapping[str, ReplicaState]) -> list[Verdict]:
        """Adds what the servers say now. servers: {ReplicaState.server: its state}, of those that answer."""
        canaries = {
            (task, entry.canary.version): entry.canary for task, entry in registry.tasks.items() if entry.canary
        }
        self._sums = {canary: self._sums.get(canary, CanarySums()) for canary in canaries}
        found = []
        for (task, version), terms in canaries.items():
            sums = self._sums[task, version]
            reason = None
            for server, state in sorted(servers.items()):
                counts = state.counts.get(task, {}).get(version, CandidateCounts())
                sums.add(server, counts)
                if counts.dropped:
                    reason = f"a router on {server} has found it out of bounds, and says why in its log"
            reason = reason or sums.judge(terms)
            if reason is not None:
                found.append(Verdict(task, version, reason))
        return found
