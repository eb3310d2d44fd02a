"""Says what is wrong with the servers of a fleet, once, and again when it changes."""

from collections.abc import Callable, Mapping

from build_tools.repository.replica_state import ReplicaState
from build_tools.tending.said_once import SaidOnce

_MOST = 200  # characters of a reason


class FleetWatch:
    """Looks at all servers of one fleet."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._said = SaidOnce(report)
        self._known: set[str] = set()

    def look(self, servers: Mapping[str, ReplicaState | str], generation: int) -> None:
        """servers: {address: its state, or why there is none}. generation: the committed one."""
        for address, heard in servers.items():
            if sentence := _what_is_wrong(heard):
                self._said.wrong(address, f"{address} {sentence}")
            else:
                self._said.right(address, f"{address} is right again, at generation {generation}")
        for address in self._known - servers.keys():
            self._said.right(address, f"{address} is gone")
        self._known = set(servers)


def _what_is_wrong(heard: ReplicaState | str) -> str:
    if isinstance(heard, str):
        return f"gives no state: {heard:.{_MOST}}"
    if heard.stopping:
        return ""  # it leaves, as it should
    if heard.behind:
        return f"({heard.server}) is at generation {heard.generation}: {heard.behind:.{_MOST}}"
    if not heard.ready:
        return f"({heard.server}) is not ready: {heard.reason:.{_MOST}}"
    return ""
