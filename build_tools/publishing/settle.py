"""registry.json is the truth: configs, folders and what Triton has loaded are brought to what it says."""

from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb

from build_tools.errors import BuildError
from build_tools.publishing.running_server import Server
from build_tools.repository.manifest import add_to_manifest, forget_missing, read_manifest
from build_tools.repository.names import BRANCH_PREFIX, TOKENIZER, TRUNK
from build_tools.repository.registry import Registry, TrunkEntry
from build_tools.repository.staging import staging_folder
from build_tools.repository.triton_config import (
    config_sha256,
    ensemble_config,
    is_config,
    put_config,
    read_config,
    trunk_config,
    trunk_configs,
    with_versions,
    write_config,
)

ENSEMBLE_VERSION = 1


def reconcile(repository: Path, registry: Registry, server: Server) -> None:
    """Completes or undoes what a killed command has left, and lets go of what is wanted no more.

    First what is missing comes, then the ensembles turn to it, then what nobody asks for goes: so no step takes from
    the server what it still uses. Does nothing where all is as the registry says. The caller holds the lock.
    """
    ready = server.ready_versions()
    for name, trunk in registry.trunks.items():
        _settle_trunk(repository, registry, name, trunk, server, ready)
    held = held_versions(registry)
    for model, versions in held.items():
        still_there = set(ready.get(model, [])) & set(_configured(repository, model))
        hold_versions(repository, model, sorted({*versions, *still_there}), server, ready)
    for task in registry.tasks:
        settle_ensemble(repository, registry, task, server, ready)
    for model, versions in held.items():
        hold_versions(repository, model, versions, server, ready)
    _remove_orphans(repository, registry, server)
    forget_missing(repository)


def held_versions(registry: Registry) -> dict[str, list[int]]:
    """{branch model: the versions that Triton is to hold now}."""
    held: dict[str, list[int]] = {}
    for entry in registry.tasks.values():
        for number in entry.held:
            held.setdefault(entry.versions[str(number)].model, []).append(number)
    return {model: sorted(versions) for model, versions in held.items()}


def hold_versions(
    repository: Path, model: str, versions: list[int], server: Server, ready: dict[str, list[int]] | None = None
) -> None:
    """Triton holds these versions of a branch's model and no others, and its config says so.

    ready: what is known to be loaded, and is kept true here; None asks the server.
    """
    wanted = with_versions(read_config(repository / model), versions)
    _put_config(repository, repository / model / "config.pbtxt", wanted)
    ready = server.ready_versions() if ready is None else ready
    if ready.get(model) != versions:
        server.load(model)
        ready[model] = versions


def settle_ensemble(
    repository: Path, registry: Registry, task: str, server: Server, ready: dict[str, list[int]] | None = None
) -> None:
    """The ensemble of a task names its live version, in its config and in Triton's memory. ready: as above."""
    entry = registry.tasks[task]
    version = entry.live_version
    tokenizer = registry.trunks[version.trunk].tokenizer_for(version)
    wanted = ensemble_config(task, entry.live, version, tokenizer)
    if not (repository / task).exists():
        make_ensemble(repository, task, wanted)
    _put_config(repository, repository / task / "config.pbtxt", wanted)
    ready = server.ready_versions() if ready is None else ready
    if not (ENSEMBLE_VERSION in ready.get(task, []) and _is_loaded(server, task, wanted)):
        server.load(task)


def make_ensemble(repository: Path, task: str, config: pb.ModelConfig) -> None:
    """A new ensemble's folder, moved in whole: Triton does not start on one without a config."""
    add_to_manifest(repository, {f"{task}/config.pbtxt": config_sha256(config)})
    with staging_folder(repository) as staged:
        (staged / task / str(ENSEMBLE_VERSION)).mkdir(parents=True)  # Triton wants it, though it stays empty
        write_config(staged / task, config)
        (staged / task).rename(repository / task)


def _is_loaded(server: Server, task: str, wanted: pb.ModelConfig) -> bool:
    """Asked of the server: the file may have been written by a command that was killed before the load."""
    loaded = server.config(task)
    return _steps(loaded) == _steps(wanted) and [list(one.dims) for one in loaded.output] == [
        list(one.dims) for one in wanted.output
    ]


def _steps(ensemble: pb.ModelConfig) -> list[tuple[str, int]]:
    return [(step.model_name, step.model_version) for step in ensemble.ensemble_scheduling.step]


def _configured(repository: Path, model: str) -> list[int]:
    """The versions that a branch's config names and that stand there."""
    named = read_config(repository / model).version_policy.specific.versions
    return [version for version in named if (repository / model / str(version)).is_dir()]


def _settle_trunk(
    repository: Path, registry: Registry, name: str, trunk: TrunkEntry, server: Server, ready: dict[str, list[int]]
) -> None:
    wanted = trunk_config(registry.runtime, trunk.taps, trunk.hidden_size, trunk.precision, name, trunk.version)
    changed = put_trunk_configs(repository, repository / name, wanted)
    if changed or ready.get(name) != [trunk.version]:
        server.load(name)
    for tokenizer in trunk.tokenizers:
        if tokenizer not in ready:
            server.load(tokenizer)


def put_trunk_configs(repository: Path, folder: Path, config: pb.ModelConfig) -> bool:
    """Both of a trunk's configs. Returns whether one of them was another before."""
    put = [_put_config(repository, file, wanted) for file, wanted in trunk_configs(folder, config).items()]
    return any(put)


def _put_config(repository: Path, file: Path, wanted: pb.ModelConfig) -> bool:
    """Writes a config unless it stands there. Returns whether another one did.

    The manifest comes first, so that it never lacks what stands there; and it is mended if a command was killed between
    the two.
    """
    name, digest = file.relative_to(repository).as_posix(), config_sha256(wanted)
    differs = not is_config(file, wanted)
    if differs or read_manifest(repository).get(name) != digest:
        add_to_manifest(repository, {name: digest})
        put_config(repository, file, wanted)
    return differs


def _remove_orphans(repository: Path, registry: Registry, server: Server) -> None:
    """Models and versions that the registry does not name: of a publish that was killed, retired, or too old."""
    versions = {(entry.model, number) for task in registry.tasks.values() for number, entry in task.versions.items()}
    versions |= {(name, str(trunk.version)) for name, trunk in registry.trunks.items()}
    models = {model for model, _ in versions}
    tokenizers = {TOKENIZER} | {name for trunk in registry.trunks.values() for name in trunk.tokenizers}
    folders = [path for path in repository.iterdir() if path.is_dir()]
    orphans = [path for path in folders if path.name not in registry.tasks and _is_own_ensemble(path)]
    orphans += [path for path in folders if _is_versioned(path.name) and path.name not in models]
    orphans += [path for path in folders if path.name.startswith(f"{TOKENIZER}_") and path.name not in tokenizers]
    leaving = {name for entry in registry.retired.values() if entry.is_leaving for name in entry.models}
    leaving |= {task for task, entry in registry.retired.items() if entry.is_leaving}
    orphans = [folder for folder in orphans if folder.name not in leaving]
    for folder in orphans:  # ensembles before what they are made of
        server.unload(folder.name)
    orphans += [
        version
        for folder in folders
        if folder.name in models
        for version in folder.iterdir()
        if version.name.isdecimal() and (folder.name, version.name) not in versions
    ]
    if orphans:
        with staging_folder(repository) as trash:  # by a rename: half a folder would keep Triton from starting
            for number, folder in enumerate(orphans):
                folder.rename(trash / str(number))


def _is_versioned(model: str) -> bool:
    return model.startswith(BRANCH_PREFIX) or model.split(".")[0] == TRUNK


def _is_own_ensemble(folder: Path) -> bool:
    try:
        steps = read_config(folder).ensemble_scheduling.step
    except (OSError, BuildError):
        return False
    return any(step.model_name.startswith(BRANCH_PREFIX) for step in steps)
