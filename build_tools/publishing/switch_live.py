"""Makes another version of a task live, of those that are on disk."""

from typing import Any

from build_tools.errors import BuildError
from build_tools.publishing.ensembles import settle_ensemble
from build_tools.publishing.served_answers import check_answers
from build_tools.publishing.served_repository import ServedRepository
from build_tools.repository.audit import log_action
from build_tools.repository.in_memory import held_versions
from build_tools.repository.registry import Registry

_GOLDEN_ROWS = 4  # somebody is waiting


def switch_live(served: ServedRepository, after: Registry, task: str, action: str, **details: Any) -> int:
    """Replaces the registry by one in which only `task` has changed. Returns the task's live version.

    action, details: for the audit log, which is written as soon as that version answers. The ensemble, and the version
    that is now the previous one, follow after that.
    Raises BuildError if the version does not answer as its golden examples say, before anything is changed; or if it is
    live but a later step fails.
    """
    entry = after.tasks[task]
    if after.fused_with(task, entry.live) is None:
        _hold_also(served, task, [entry.live])
    if served.server.is_running and entry.live != served.registry.tasks[task].live:
        _check(served, entry.live, task)
    served.replace_registry(after)
    try:
        log_action(served.folder, action, task, entry.live, **details)
        settle_ensemble(served, task)
        _hold_also(
            served, task, held_versions(after, task)
        )  # the new previous version, so that the next rollback finds it loaded
    except (BuildError, OSError) as error:
        raise BuildError(f"version {entry.live} of {task} is live, but a later step failed: {error}") from error
    return entry.live


def _check(served: ServedRepository, number: int, task: str) -> None:
    try:
        check_answers(served.server, served.folder, served.registry, task, number, _GOLDEN_ROWS)
    except BuildError as error:
        raise BuildError(
            f"version {number} of {task} is not made live, because it does not answer as it should: {error}"
        ) from error


def _hold_also(served: ServedRepository, task: str, versions: list[int]) -> None:
    for number in versions:
        version = served.registry.tasks[task].versions[str(number)]
        if served.server.is_running and number not in served.loaded.get(version.model, []):
            served.report(f"loading version {number} of {version.model}, which was on disk only")
        served.hold_source(version.trunk, version.tap)
        served.hold_also(version.model, number)
