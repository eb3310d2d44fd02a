"""What is a candidate goes live."""

from collections.abc import Callable
from pathlib import Path

from build_tools.publishing.registry_transitions import promoted
from build_tools.publishing.running_server import Server
from build_tools.publishing.switch_live import switch
from build_tools.repository.locking import repository_lock
from build_tools.repository.registry import read_registry


def promote(task: str, repository: Path, server: Server, report: Callable[[str], None] = lambda _: None) -> int:
    """Makes the canary or the shadow live. Returns its version.

    Raises BuildError if there is none, or if it is live and what follows failed.
    """
    with repository_lock(repository, report):
        registry = read_registry(repository)
        return switch(repository, registry, promoted(registry, task, server.now()), task, server, "promote")
