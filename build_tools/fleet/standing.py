"""Where a server of a fleet stands towards a generation: proposed, or committed."""

from build_tools.fleet.asking import Replica
from build_tools.repository.replica_state import Proposed


def has_prepared(replica: Replica, sha256: str) -> bool:
    """Whether it has loaded the proposal with this digest, and found that it answers as it should."""
    proposed = _proposed(replica, sha256)
    return proposed is not None and proposed.ready


def refusal(replica: Replica, sha256: str) -> str:
    """Returns why it refuses the proposal with this digest; empty if it does not."""
    proposed = _proposed(replica, sha256)
    return proposed.refused if proposed else ""


def why_not_prepared(replica: Replica, sha256: str) -> str:
    """Returns, in words, what a server that has not prepared a proposal is waiting for."""
    if replica.state is None:
        return replica.problem
    proposed = _proposed(replica, sha256)
    if proposed is not None:
        return f"it waits: {proposed.waiting}" if proposed.waiting else "it is still loading it"
    return _trouble(replica) or "it sees no proposal: is it `espalier serve --replica` on this folder?"


def has_adopted(replica: Replica, generation: int) -> bool:
    """Whether its routers follow this generation, or a later one."""
    return replica.state is not None and replica.state.generation >= generation


def why_not_adopted(replica: Replica) -> str:
    """Returns, in words, why a server is at an earlier generation."""
    if replica.state is None:
        return replica.problem
    return _trouble(replica) or f"it is at generation {replica.state.generation}"


def has_settled(replica: Replica, generation: int) -> bool:
    """Whether no request there asks for what only generations before this one named."""
    return replica.state is not None and replica.state.settled >= generation


def _proposed(replica: Replica, sha256: str) -> Proposed | None:
    proposed = replica.state.proposal if replica.state else None
    return proposed if proposed is not None and proposed.sha256 == sha256 else None


def _trouble(replica: Replica) -> str:
    state = replica.state
    assert state is not None
    if state.stopping:
        return "it is being stopped"
    if state.behind:
        return f"it is behind, at generation {state.generation}: {state.behind}"
    return "" if state.ready else f"it is not ready: {state.reason or 'no reason given'}"
