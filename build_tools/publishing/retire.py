"""A task that is wanted no more leaves router, ensembles and memory."""

import time
from collections.abc import Callable
from pathlib import Path

from build_tools.publishing.reconciled import reconciled
from build_tools.publishing.registry_transitions import retired
from build_tools.publishing.running_server import Server
from build_tools.repository.audit import log_action
from build_tools.repository.locking import repository_lock
from build_tools.repository.names import examples_file
from build_tools.repository.registry import DRAIN_SECONDS, read_registry, write_registry


def retire(task: str, repository: Path, server: Server, report: Callable[[str], None] = lambda _: None) -> None:
    """Takes the task out of registry.json, and DRAIN_SECONDS later its models out of Triton and off the disk.

    New requests that name the task are refused at once; those in flight are answered meanwhile, and others may change
    the repository. Raises BuildError if there is no such task, or no other.
    """
    with repository_lock(repository, report):
        registry = read_registry(repository)
        after = retired(registry, task, server.now())
        write_registry(repository, after)
        log_action(repository, "retire", task, registry.tasks[task].live)
        (repository / examples_file(task)).unlink(missing_ok=True)
    if server.is_running:
        report(f"{DRAIN_SECONDS:g} seconds for the requests in flight")
        time.sleep(DRAIN_SECONDS)
    with reconciled(repository, server, report):  # which takes out what the registry does not name
        pass
