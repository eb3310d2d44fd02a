"""Takes a canary that is out of bounds out of registry.json, for all servers."""

from collections.abc import Callable
from pathlib import Path

from build_tools.publishing.registry_transitions import rolled_back
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.repository.audit import WITHDRAW, log_action
from build_tools.repository.proposal import replace_registry
from build_tools.tending.canary_judge import Verdict


def withdraw(verdict: Verdict, repository: Path, server: Server, report: Callable[[str], None]) -> bool:
    """Does what `espalier rollback` does to a canary, and writes the reason to the audit log.

    Nothing has to be loaded for that, so no server is waited for: each follows as soon as it sees the file, also while
    others are out of reach. Returns False, and does nothing, if the registry does not name this canary any more.
    """
    with ServedRepository.locked(repository, server, report) as served:
        entry = served.registry.tasks.get(verdict.task)
        if entry is None or entry.canary is None or entry.canary.version != verdict.version:
            return False
        after = rolled_back(served.registry, verdict.task, server.now())
        replace_registry(repository, after.model_copy(update={"generation": served.registry.generation + 1}))
        log_action(repository, WITHDRAW, verdict.task, verdict.version, by="tend", reason=verdict.reason)
    return True
