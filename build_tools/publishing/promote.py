"""Makes a candidate live."""

from collections.abc import Callable
from pathlib import Path

from build_tools.publishing.registry_transitions import promoted
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.switch_live import switch_live


def promote(task: str, repository: Path, server: Server, report: Callable[[str], None] = lambda _: None) -> int:
    """Makes the task's canary or shadow live. Returns its version.

    Raises BuildError if the task has no candidate, or if the version is live but a later step fails.
    """
    with ServedRepository.locked(repository, server, report) as served:
        after = promoted(served.registry, task, server.now())
        return switch_live(served, after, task, "promote")
