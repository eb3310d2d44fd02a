"""Removes a task from the router, from the server's memory and from the disk."""

from collections.abc import Callable
from pathlib import Path

from build_tools.publishing.leaving import wait_until_left
from build_tools.publishing.registry_transitions import retired, task_entry
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.repository.audit import log_action
from build_tools.repository.names import examples_file


def retire(task: str, repository: Path, server: Server, report: Callable[[str], None] = lambda _: None) -> None:
    """Removes the task from registry.json, and DRAIN_SECONDS later its models from the server and the disk.

    The router refuses new requests for the task at once. Requests in flight are still answered in those seconds, and
    other commands may change the repository.
    Raises BuildError if there is no such task, or if it is the only one.
    """
    with ServedRepository.locked(repository, server, report) as served:
        entry = task_entry(served.registry, task)
        served.replace_registry(retired(served.registry, task, server.now()))
        log_action(repository, "retire", task, entry.live)
        (repository / examples_file(task)).unlink(missing_ok=True)
        generation = served.registry.generation
    wait_until_left(server, generation, report)
    with ServedRepository.locked(repository, server, report) as served:
        settle(served)
