"""What `/tasks` says: the tasks that a caller may ask, which versions answer, and where they sit on the trunk."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build_tools.repository.branch_layers import branch_layers
from build_tools.repository.registry import REGISTRY, Registry, TaskEntry, VersionEntry, read_registry
from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.watched_file import WatchedFile


class TaskList:
    """Of one repository. A registry that cannot be read leaves the last good list in force."""

    def __init__(self, repository: Path) -> None:
        self._file: WatchedFile[Mapping[str, Any]] = WatchedFile(
            repository / REGISTRY,
            lambda file: described(read_registry(file.parent), file.parent),
            {},
            lambda error: logging.getLogger(__name__).warning("the last good list of tasks stays in use: %s", error),
        )

    def of(self, caller: Caller) -> dict[str, Any]:
        """Returns {task: what is said of it} of the tasks that the caller may ask."""
        tasks = self._file.look()
        return {task: said for task, said in tasks.items() if caller.tasks is None or task in caller.tasks}


def described(registry: Registry, repository: Path) -> dict[str, Any]:
    """Returns {task: {kind, live, canary, shadow, versions: {version: {trunk, tap, layers}}}}.

    kind: of the live version. canary: {version, share} or None. shadow: a version or None. versions: those three. tap:
    the trunk's layer that the branch reads. layers: the branch's own.
    """
    return {task: _described(entry, repository) for task, entry in registry.tasks.items()}


def _described(entry: TaskEntry, repository: Path) -> dict[str, Any]:
    canary = entry.canary and {"version": entry.canary.version, "share": entry.canary.share}
    numbers = (entry.live, entry.canary.version if entry.canary else None, entry.shadow)
    return {
        "kind": str(entry.live_version.kind),
        "live": entry.live,
        "canary": canary,
        "shadow": entry.shadow,
        "versions": {
            str(number): _place(entry.versions[str(number)], number, repository)
            for number in numbers
            if number is not None
        },
    }


def _place(version: VersionEntry, number: int, repository: Path) -> dict[str, Any]:
    return {"trunk": version.trunk, "tap": version.tap, "layers": branch_layers(repository, version, number)}
