"""Says what is wrong with the servers of a fleet, once, and again when it changes."""

from collections.abc import Callable, Sequence

from build_tools.fleet.asking import Replica
from build_tools.tending.said_once import SaidOnce

_MOST = 200  # characters of a reason


class FleetWatch:
    """Looks at all servers of one fleet."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._said = SaidOnce(report)
        self._known: set[str] = set()

    def look(self, servers: Sequence[Replica], generation: int) -> None:
        """servers: all that are known, as they have answered now. generation: the committed one."""
        for one in servers:
            if sentence := _what_is_wrong(one):
                self._said.wrong(one.name, f"{one.name} {sentence}")
            else:
                self._said.right(one.name, f"{one.name} is right again, at generation {generation}")
        names = {one.name for one in servers}
        for gone in self._known - names:
            self._said.right(gone, f"{gone} is gone")
        self._known = names


def _what_is_wrong(server: Replica) -> str:
    state = server.state
    if state is None:
        return f"gives no state: {server.problem:.{_MOST}}"
    if state.stopping:
        return ""  # it leaves, as it should
    if state.behind:
        return f"({state.server}) is at generation {state.generation}: {state.behind:.{_MOST}}"
    if not state.ready:
        return f"({state.server}) is not ready: {state.reason:.{_MOST}}"
    return ""
