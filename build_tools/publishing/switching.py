"""Another version of a task is live, of those that are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.reconcile import hold_versions, settle_ensemble
from build_tools.publishing.server import Server
from build_tools.registry import Registry, write_registry
from build_tools.triton_config import read_config


@contextmanager
def switching(repository: Path, before: Registry, after: Registry, task: str, server: Server) -> Iterator[None]:
    """From one registry to the next, in which `task` alone has changed. The caller holds the repository's lock.

    The body runs as soon as the version answers; ensemble and memory follow. Raises BuildError if these cannot.
    """
    hold_also(repository, before, task, [after.tasks[task].live], server)
    write_registry(repository, after)
    yield
    live = after.tasks[task].live
    try:
        settle_ensemble(repository, after, task, server)
        hold_also(repository, after, task, after.tasks[task].wanted, server)  # the next previous one, before its time
    except BuildError as error:
        raise BuildError(f"version {live} of {task} is live, but what follows failed: {error}") from error


def hold_also(repository: Path, registry: Registry, task: str, versions: list[int], server: Server) -> None:
    """Has these versions of a task loaded beside those that are."""
    ready = server.ready_versions()
    for number in versions:
        model = registry.tasks[task].versions[str(number)].model
        configured = read_config(repository / model).version_policy.specific.versions
        loaded = ready.get(model, [])
        if number not in configured or (server.is_running and number not in loaded):
            known = {version for version in {*configured, *loaded} if (repository / model / str(version)).is_dir()}
            hold_versions(repository, model, sorted({*known, number}), server, ready)
