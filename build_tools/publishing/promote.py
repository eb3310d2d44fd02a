"""What is on trial goes live."""

from collections.abc import Callable
from pathlib import Path

from build_tools.publishing.audit import log_action
from build_tools.publishing.locking import repository_lock
from build_tools.publishing.server import Server
from build_tools.publishing.switching import switching
from build_tools.publishing.transitions import promoted
from build_tools.registry import read_registry


def promote(task: str, repository: Path, server: Server, report: Callable[[str], None] = lambda _: None) -> int:
    """Makes the canary or the shadow live. Returns its version. Raises BuildError if there is none."""
    with repository_lock(repository, report):
        registry = read_registry(repository)
        after = promoted(registry, task, server.now())
        live = after.tasks[task].live
        with switching(repository, registry, after, task, server):
            log_action(repository, "promote", task, live)
    return live
