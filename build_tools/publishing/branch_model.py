"""The Triton model that will hold a new version of a branch."""

from itertools import chain, count
from pathlib import Path

from build_tools.repository.names import branch_name
from build_tools.repository.registry import Registry, VersionEntry
from build_tools.repository.triton_config import branch_config, read_config, with_versions


def model_for(repository: Path, registry: Registry, task: str, version: VersionEntry, hidden_size: int) -> VersionEntry:
    """Returns the version with its model filled in.

    This is the task's present model if its config fits the new version, else a new one (branch_<task>.2 ...). All
    versions of a model share one config, and Triton would reload all of them for another number of labels or another
    precision.
    """
    entry = registry.tasks.get(task)
    models = list(dict.fromkeys(known.model for known in reversed(entry.versions.values()))) if entry else []
    for model in models:
        candidate = version.model_copy(update={"model": model})
        config = branch_config(registry.runtime, candidate, hidden_size, [], registry.device)
        if with_versions(read_config(repository / model), []) == config:
            return candidate
    names = chain([branch_name(task)], (f"{branch_name(task)}.{number}" for number in count(2)))
    taken = {path.name for path in repository.iterdir()}
    return version.model_copy(update={"model": next(name for name in names if name not in taken)})
