"""The repository under its lock, brought to what registry.json says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from build_tools.publishing.registry_transitions import tidied
from build_tools.publishing.running_server import Server
from build_tools.publishing.settle import reconcile
from build_tools.repository.locking import repository_lock
from build_tools.repository.registry import Registry, read_registry, write_registry
from build_tools.repository.staging import remove_dead_staging
from training.atomic_write import remove_staged_files


@contextmanager
def reconciled(repository: Path, server: Server, report: Callable[[str], None]) -> Iterator[Registry]:
    """Holds the lock, and yields the registry once all else is as it says; see reconcile.

    What every change begins or ends with, but for promote and rollback: there somebody waits.
    """
    with repository_lock(repository, report):
        remove_dead_staging(repository)
        remove_staged_files(repository)
        found = read_registry(repository)
        registry = tidied(found)
        if registry != found:
            write_registry(repository, registry)
        reconcile(repository, registry, server)
        yield registry
