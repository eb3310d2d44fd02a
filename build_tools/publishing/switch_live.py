"""Another version of a task is live, of those that are there."""

from pathlib import Path
from typing import Any

from build_tools.errors import BuildError
from build_tools.publishing.running_server import Server
from build_tools.publishing.settle import hold_versions, settle_ensemble
from build_tools.repository.audit import log_action
from build_tools.repository.registry import Registry, write_registry
from build_tools.repository.triton_config import read_config


def switch(
    repository: Path, before: Registry, after: Registry, task: str, server: Server, action: str, **details: Any
) -> int:
    """From one registry to the next, in which `task` alone has changed. Returns the version that is live then.

    action, details: for the audit log, which is written as soon as that version answers; ensemble and memory follow.
    Raises BuildError if these cannot. The caller holds the repository's lock.
    """
    entry = after.tasks[task]
    _hold_also(repository, before, task, [entry.live], server)
    write_registry(repository, after)
    try:
        log_action(repository, action, task, entry.live, **details)
        settle_ensemble(repository, after, task, server)
        _hold_also(repository, after, task, entry.wanted, server)  # the next previous one, before its time
    except (BuildError, OSError) as error:
        raise BuildError(f"version {entry.live} of {task} is live, but what follows failed: {error}") from error
    return entry.live


def _hold_also(repository: Path, registry: Registry, task: str, versions: list[int], server: Server) -> None:
    """Has these versions of a task loaded beside those that are."""
    ready = server.ready_versions()
    for number in versions:
        model = registry.tasks[task].versions[str(number)].model
        configured = read_config(repository / model).version_policy.specific.versions
        loaded = ready.get(model, [])
        if number not in configured or (server.is_running and number not in loaded):
            known = {version for version in {*configured, *loaded} if (repository / model / str(version)).is_dir()}
            hold_versions(repository, model, sorted({*known, number}), server, ready)
