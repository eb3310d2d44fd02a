"""Whether a fleet could take a new version now, so that an artefact is not refused for its servers' fault."""

from collections.abc import Sequence

from build_tools.fleet.asking import Replica
from build_tools.fleet.requirement import Requirement


def lack(servers: Sequence[Replica], requirement: Requirement) -> str:
    """Returns a phrase if fewer servers than are required are ready; else an empty text."""
    able = sum(one.state is not None and one.state.ready and not one.state.stopping for one in servers)
    needed = requirement.needed(len(servers))
    return "" if able >= needed else f"{able} of {len(servers)} servers are ready, and {needed} must be (--require)"
