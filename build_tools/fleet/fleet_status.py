"""What the servers of a fleet say of themselves, side by side, and their sums."""

from collections.abc import Iterable

from pydantic import BaseModel, computed_field

from build_tools.fleet.asking import Replica
from build_tools.repository.replica_state import Proposed


class ReplicaStatus(BaseModel):
    """One server. What it says of itself is None if it is not reachable.

    differs: in words, all in which it is not as it should be; empty for a server that is well and at the committed
    generation. requests, errors: that its gate has taken since it started. memory_bytes: of all its processes.
    """

    address: str
    server: str | None = None
    reachable: bool
    ready: bool = False
    generation: int | None = None
    differs: str = ""
    requests: int | None = None
    errors: int | None = None
    memory_bytes: int | None = None
    server_restarts: int | None = None


class FleetStatus(BaseModel):
    """All of them. generation: the committed one. proposed: the one that is proposed now, if there is one."""

    generation: int
    proposed: int | None
    replicas: list[ReplicaStatus]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def reachable(self) -> int:
        """How many servers answer."""
        return sum(one.reachable for one in self.replicas)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ready(self) -> int:
        """How many servers are ready."""
        return sum(one.ready for one in self.replicas)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def at_generation(self) -> int:
        """How many servers have adopted the committed generation."""
        return sum(one.generation == self.generation for one in self.replicas)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def requests(self) -> int:
        """The sum over those that answer, as the next two."""
        return sum(one.requests or 0 for one in self.replicas)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def errors(self) -> int:
        """See requests."""
        return sum(one.errors or 0 for one in self.replicas)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def memory_bytes(self) -> int:
        """See requests."""
        return sum(one.memory_bytes or 0 for one in self.replicas)


def fleet_status(replicas: Iterable[Replica], generation: int, proposed: int | None) -> FleetStatus:
    """Returns the status of the servers, as they have last answered. generation, proposed: see FleetStatus."""
    return FleetStatus(
        generation=generation, proposed=proposed, replicas=[_status(replica, generation) for replica in replicas]
    )


def canary_counts(replicas: Iterable[Replica]) -> dict[tuple[str, int], dict[str, int]]:
    """Returns {(task, version): {"candidate_answers", "candidate_errors": its sum over all servers}}."""
    sums: dict[tuple[str, int], dict[str, int]] = {}
    for replica in replicas:
        for task, versions in (replica.state.counts if replica.state else {}).items():
            for version, counts in versions.items():
                of_version = sums.setdefault((task, version), {"candidate_answers": 0, "candidate_errors": 0})
                of_version["candidate_answers"] += counts.answers
                of_version["candidate_errors"] += counts.errors
    return sums


def _status(replica: Replica, generation: int) -> ReplicaStatus:
    state = replica.state
    if state is None:
        return ReplicaStatus(address=replica.name, reachable=False, differs=replica.problem)
    silent = sorted(task for task, answers in state.tasks.items() if not answers)
    differs = [
        "it is being stopped" if state.stopping else "",
        "" if state.ready or state.stopping else f"it is not ready: {state.reason or 'no reason given'}",
        f"does not answer: {', '.join(silent)}" if silent else "",
        state.behind and f"behind: {state.behind}",
        f"at generation {state.generation}" if state.generation != generation and not state.behind else "",
        _of_proposal(state.proposal) if state.proposal else "",
    ]
    return ReplicaStatus(
        address=replica.name,
        server=state.server,
        reachable=True,
        ready=state.ready,
        generation=state.generation,
        differs="; ".join(filter(None, differs)),
        requests=state.requests,
        errors=state.errors,
        memory_bytes=state.memory_bytes,
        server_restarts=state.server_restarts,
    )


def _of_proposal(proposal: Proposed) -> str:
    if proposal.refused:
        what = f"is refused: {proposal.refused}"
    elif proposal.ready:
        what = "is ready"
    else:
        what = f"waits: {proposal.waiting}" if proposal.waiting else "is being loaded"
    return f"proposal {proposal.generation} {what}"
