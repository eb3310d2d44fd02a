"""What each command does to registry.json: functions that return the next registry and leave the given one as it is.

now: the time of the change on a running server; None if no server runs, so that no batch is in flight.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from build_tools.errors import BuildError
from build_tools.repository.registry import (
    CanaryEntry,
    CanaryTerms,
    Registry,
    RetiredEntry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
)

KEPT = 5  # versions of a task on disk
_LONG_AGO = datetime.fromtimestamp(0, UTC)


def next_version(registry: Registry, task: str) -> int:
    """A number that no version of the task has had: routers cache answers by it."""
    entry = registry.tasks.get(task)
    if entry is not None:
        return entry.newest + 1
    return registry.retired[task].version + 1 if task in registry.retired else 1


def published(
    registry: Registry,
    task: str,
    number: int,
    version: VersionEntry,
    trunk: TrunkEntry,
    canary: CanaryTerms | None,
    shadow: bool,
    keep: int,
    now: datetime | None,
) -> Registry:
    """Adds a version, live or as a candidate, and keeps at most `keep` versions of the task.

    Raises BuildError if the task already has a candidate, or if a new task is to have one.
    """
    entry = registry.tasks.get(task)
    if entry is None:
        if canary or shadow:
            raise BuildError(
                f"{task} is a new task, with no live version to try this one beside: leave out --canary and --shadow."
            )
        changed = TaskEntry(live=number, newest=number, versions={str(number): version})
    else:
        check_no_candidate(registry, task)
        changed = entry.model_copy(update={"newest": number, "versions": entry.versions | {str(number): version}})
        if canary:
            changed.canary = CanaryEntry(version=number, **canary.model_dump())
        elif shadow:
            changed.shadow = number
        else:
            changed = _made_live(changed, number)
    is_new = version.trunk not in registry.trunks
    trunks = {"trunks": registry.trunks | {version.trunk: trunk}, "trunks_made": registry.trunks_made + is_new}
    after = _with_task(registry.model_copy(update=trunks), task, changed, now)
    return after.model_copy(update={"tasks": after.tasks | {task: _pruned(after.tasks[task], keep)}})


def promoted(registry: Registry, task: str, now: datetime | None) -> Registry:
    """Makes the candidate live. Raises BuildError if there is none."""
    entry = task_entry(registry, task)
    if entry.candidate is None:
        raise BuildError(f"{task} has no candidate to promote; version {entry.live} is live.")
    return _with_task(registry, task, _made_live(entry, entry.candidate), now)


def rolled_back(registry: Registry, task: str, now: datetime | None) -> Registry:
    """Ends the candidate; without one, makes the previous version live. Raises BuildError if there is neither."""
    entry = task_entry(registry, task)
    if entry.candidate is not None:
        return _with_task(registry, task, entry.model_copy(update={"canary": None, "shadow": None}), now)
    if entry.previous is None:
        raise BuildError(
            f"{task} has no earlier version to roll back to, version {entry.live} stays live: publish a checkpoint to "
            "replace it."
        )
    changes = {"live": entry.previous, "earlier": entry.earlier[:-1]}
    return _with_task(registry, task, entry.model_copy(update=changes), now)


def retired(registry: Registry, task: str, now: datetime | None) -> Registry:
    """Removes the task. Raises BuildError if there is no such task, or if it is the only one."""
    entry = task_entry(registry, task)
    if len(registry.tasks) == 1:
        raise BuildError(f"{task} is the only task: stop the server and remove the repository instead.")
    tasks = {name: entry for name, entry in registry.tasks.items() if name != task}
    gone = RetiredEntry(
        version=entry.newest,
        since=now or _LONG_AGO,
        models=sorted({version.model for version in entry.versions.values()}),
        trunks=sorted({version.trunk for version in entry.versions.values()}),
    )
    return registry.model_copy(update={"tasks": tasks, "retired": registry.retired | {task: gone}})


def tidied(registry: Registry) -> Registry:
    """Removes entries that no command can return to.

    These are the versions of a model that has no version to load, because Triton does not start with such a model; and
    trunks that no version reads, with their tokenizers.
    """
    tasks = {task: _without_idle_models(entry) for task, entry in registry.tasks.items()}
    read = {version.trunk for entry in tasks.values() for version in entry.versions.values()}
    read |= {trunk for entry in registry.retired.values() if entry.is_leaving for trunk in entry.trunks}
    trunks = {name: trunk for name, trunk in registry.trunks.items() if name in read}
    return registry.model_copy(update={"tasks": tasks, "trunks": trunks})


def leaving_from(before: Registry, after: Registry, now: datetime) -> Registry:
    """Returns `after`, in which what it takes from `before` begins to leave at `now`, when it is put in force.

    A change is made before what it needs is loaded and asked. That may take longer than batches in flight are given.
    """
    tasks: dict[str, TaskEntry] = {}
    trunks: dict[str, TrunkEntry] = {}
    for task, entry in after.tasks.items():
        known = before.tasks[task].leaving if task in before.tasks else {}
        tasks[task] = entry.model_copy(update={"leaving": _begun_at(now, entry.leaving, known)})
    second = now.replace(microsecond=0)
    for name, trunk in after.trunks.items():
        there = before.trunks.get(name)
        changes: dict[str, Any] = {
            "fused_leaving": _begun_at(second, trunk.fused_leaving, there.fused_leaving if there else {})
        }
        if trunk.fused is not None and (there is None or there.fused != trunk.fused):
            changes["fused"] = trunk.fused.model_copy(update={"since": second})
        trunks[name] = trunk.model_copy(update=changes)
    gone = {
        task: one if before.retired.get(task) == one else one.model_copy(update={"since": now})
        for task, one in after.retired.items()
    }
    return after.model_copy(update={"tasks": tasks, "trunks": trunks, "retired": gone})


def check_no_candidate(registry: Registry, task: str) -> None:
    """Raises BuildError if a version of the task is a candidate."""
    entry = registry.tasks.get(task)
    if entry is not None and entry.candidate is not None:
        raise BuildError(
            f"version {entry.candidate} of {task} is a candidate: run espalier promote {task} or "
            f"espalier rollback {task} first."
        )


def task_entry(registry: Registry, task: str) -> TaskEntry:
    """Returns the task's entry. Raises BuildError if there is no such task."""
    if task not in registry.tasks:
        was = "was retired" if task in registry.retired else "is not here"
        raise BuildError(f"the task {task} {was}; the tasks are {', '.join(sorted(registry.tasks))}.")
    return registry.tasks[task]


def _made_live(entry: TaskEntry, number: int) -> TaskEntry:
    changes = {"live": number, "earlier": [*entry.earlier, entry.live], "canary": None, "shadow": None}
    return entry.model_copy(update=changes)


def _pruned(entry: TaskEntry, keep: int) -> TaskEntry:
    """Keeps at most `keep` versions: those that are held, then the newest."""
    held = {str(number) for number in entry.held}
    others = sorted((number for number in entry.versions if number not in held), key=int, reverse=True)
    return _only(entry, held | set(others[: max(0, keep - len(held))]))


def _without_idle_models(entry: TaskEntry) -> TaskEntry:
    models = {entry.versions[str(number)].model for number in entry.held}
    return _only(entry, {number for number, version in entry.versions.items() if version.model in models})


def _only(entry: TaskEntry, kept: set[str]) -> TaskEntry:
    if kept >= entry.versions.keys():
        return entry
    changes = {
        "versions": {number: version for number, version in entry.versions.items() if number in kept},
        "earlier": [number for number in entry.earlier if str(number) in kept],
        "leaving": {number: since for number, since in entry.leaving.items() if number in kept},
    }
    return entry.model_copy(update=changes)


def _with_task(registry: Registry, task: str, entry: TaskEntry, now: datetime | None) -> Registry:
    """Changes one task's entry, and notes in it which versions routers stop asking for now."""
    if task in registry.tasks and now is not None:
        left = {str(number): now for number in registry.tasks[task].wanted if number not in entry.wanted}
        leaving = {**entry.leaving, **left}
        kept = {number: since for number, since in leaving.items() if int(number) in entry.held or number in left}
        entry = entry.model_copy(update={"leaving": kept})
    changed = registry.model_copy(update={"tasks": registry.tasks | {task: entry}})
    return Registry.model_validate(changed.model_dump())  # model_copy does not validate


def _begun_at(now: datetime, times: Mapping[str, datetime], known: Mapping[str, datetime]) -> dict[str, datetime]:
    return {name: since if known.get(name) == since else now for name, since in times.items()}
