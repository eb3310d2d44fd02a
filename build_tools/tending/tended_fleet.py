"""What tending asks of a fleet, besides what publishing does."""

from collections.abc import Mapping

from build_tools.publishing.fleet_server import Fleet
from build_tools.repository.replica_state import ReplicaState


class TendedFleet(Fleet):
    """The servers of one repository."""

    def states(self) -> Mapping[str, ReplicaState | str]:
        """Asks all servers. Returns {address: its state, or a phrase that says why there is none}."""
        return {replica.name: replica.state or replica.problem for replica in self.replicas.look()}

    def lacks(self, states: Mapping[str, ReplicaState | str]) -> str:
        """Returns a phrase if fewer servers than are required could take a new version now; else an empty text."""
        able = sum(isinstance(one, ReplicaState) and one.ready and not one.stopping for one in states.values())
        needed = self.requirement.needed(len(states))
        return "" if able >= needed else f"{able} of {len(states)} servers are ready, and {needed} must be (--require)"
