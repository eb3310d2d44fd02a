"""Models and versions that the registry does not name: of a publish that was killed, retired, or too old."""

from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.served_repository import ServedRepository
from build_tools.repository.in_memory import draining
from build_tools.repository.names import BRANCH_PREFIX, FUSED, TOKENIZER, TRUNK
from build_tools.repository.registry import FusedEntry, Registry
from build_tools.repository.staging import staging_folder
from build_tools.repository.triton_config import read_config


def remove_orphans(served: ServedRepository) -> None:
    """Unloads orphaned models and removes their folders, and the folders of orphaned versions.

    Graphs that an earlier generation named stay while a server of a fleet may still read them.
    """
    registry = served.registry
    folders = [path for path in served.folder.iterdir() if path.is_dir()]
    models, versions = _orphaned_models(registry, folders), _orphaned_versions(registry, folders)
    read = [folder for folder in models if _is_versioned(folder.name) and not _is_later_trunk(registry, folder.name)]
    read += [version for version in versions if not _is_later_version(registry, version)]
    if read and not served.server.has_left(registry.generation):
        served.report(f"{len(read)} earlier versions stay on disk until all servers have left them")
        models = [folder for folder in models if folder not in read]
        versions = [version for version in versions if version not in read]
    for folder in models:
        served.unload(folder.name)
    orphans = models + versions
    if orphans:
        with staging_folder(served.folder) as trash:  # by a rename: Triton does not start with half a folder
            for number, folder in enumerate(orphans):
                folder.rename(trash / str(number))


def _orphaned_models(registry: Registry, folders: list[Path]) -> list[Path]:
    """Folders of models, ensembles before the models that they use.

    Those of a task that has just been retired are left alone while batches in flight may still ask for them.
    """
    models = {version.model for task in registry.tasks.values() for version in task.versions.values()}
    models |= registry.trunks.keys() | {one.model for one in _fused(registry)} | draining(registry)
    tokenizers = {TOKENIZER} | {name for trunk in registry.trunks.values() for name in trunk.tokenizers}
    orphans = [path for path in folders if path.name not in registry.tasks and _is_own_ensemble(path)]
    orphans += [path for path in folders if _is_versioned(path.name) and path.name not in models]
    orphans += [path for path in folders if path.name.startswith(f"{TOKENIZER}_") and path.name not in tokenizers]
    leaving = {name for entry in registry.retired.values() if entry.is_leaving for name in entry.models}
    leaving |= {task for task, entry in registry.retired.items() if entry.is_leaving}
    return [folder for folder in orphans if folder.name not in leaving]


def _orphaned_versions(registry: Registry, folders: list[Path]) -> list[Path]:
    """Folders of versions, in models that the registry does name."""
    known = {(entry.model, number) for task in registry.tasks.values() for number, entry in task.versions.items()}
    known |= {(name, str(trunk.version)) for name, trunk in registry.trunks.items()}
    known |= {(one.model, str(one.version)) for one in _fused(registry)}
    models = {model for model, _ in known}
    return [
        version
        for folder in folders
        if folder.name in models
        for version in folder.iterdir()
        if version.name.isdecimal() and (folder.name, version.name) not in known
    ]


def _is_later_trunk(registry: Registry, model: str) -> bool:
    """Whether no committed registry has named it: the next publish makes another one of the same name."""
    name, _, number = model.partition(".")
    return name == TRUNK and number.isdecimal() and int(number) > registry.trunks_made


def _is_later_version(registry: Registry, version: Path) -> bool:
    """Whether no committed registry has named it: the next publish makes another one of the same number."""
    model, number = version.parent.name, int(version.name)
    if model in registry.trunks:
        return number > registry.trunks[model].version
    newest = [
        entry.newest for entry in registry.tasks.values() if any(one.model == model for one in entry.versions.values())
    ]
    return bool(newest) and number > max(newest)


def _fused(registry: Registry) -> list[FusedEntry]:
    return [trunk.fused for trunk in registry.trunks.values() if trunk.fused is not None]


def _is_versioned(model: str) -> bool:
    return model.startswith(BRANCH_PREFIX) or model.split(".")[0] in (TRUNK, FUSED)


def _is_own_ensemble(folder: Path) -> bool:
    try:
        steps = read_config(folder).ensemble_scheduling.step
    except (OSError, BuildError):
        return False
    return any(step.model_name.startswith(BRANCH_PREFIX) or step.model_name.split(".")[0] == FUSED for step in steps)
