"""Brings a repository of an earlier release to this one, also while a server serves it."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.export.hand_written_models import HAND_WRITTEN, HAND_WRITTEN_MODELS, copy_hand_written
from build_tools.publishing.running_server import Server
from build_tools.publishing.upgrade_golden import stage_golden
from build_tools.repository.control_key import ensure_control_key, read_control_key
from build_tools.repository.exchange import exchange
from build_tools.repository.in_memory import idle_models
from build_tools.repository.locking import repository_lock
from build_tools.repository.manifest import (
    MANIFEST,
    NOT_SERVED,
    add_to_manifest,
    forget_missing,
    hashes_of,
    read_manifest,
)
from build_tools.repository.names import FIRST_VERSION, ROUTERS, TOKENIZER, TOKENIZER_FILE
from build_tools.repository.registry import Registry, check_versions, read_registry, write_registry
from build_tools.repository.staging import remove_dead_staging, staging_folder
from build_tools.repository.triton_config import (
    config_of_trunk,
    config_sha256,
    is_config,
    put_config,
    read_config,
    trunk_configs,
    write_config,
)
from training.atomic_write import remove_staged_files

Report = Callable[[str], None]


def upgrade(repository: Path, server: Server, checkpoints: Iterable[Path], report: Report = lambda _: None) -> bool:
    """Copies the hand-written models anew, and writes what this release has and an earlier one had not.

    That is registry.json in its present format, the limits in the trunks' configs, the control key, and golden.npz of
    each version whose checkpoint is among `checkpoints` (task checkpoints, or folders of them). Graphs, labels and the
    choice of versions stay. Everything is staged first. registry.json comes last: a command that is killed before
    leaves a repository that the next `espalier upgrade` completes and that no other command takes. A server goes on
    with what it has loaded until it is told to load the new models, which it does without a gap.
    Returns whether anything was changed. Raises BuildError if the repository is damaged.
    """
    repository = repository.resolve()
    with repository_lock(repository, report):
        registry = read_registry(repository, also_earlier=True)
        check_versions(repository, registry)
        if not (repository / MANIFEST).is_file():
            raise BuildError(f"{repository} has no {MANIFEST}: build it again.")
        remove_dead_staging(repository)
        remove_staged_files(repository)
        with staging_folder(repository) as staging:
            models = _stage_hand_written(repository, registry, staging / "models")
            golden = stage_golden(repository, registry, checkpoints, staging / "golden", report)
            changed = _replace_hand_written(repository, models)
            changed |= _add_golden(repository, golden)
        changed |= _put_trunk_configs(repository, registry)
        forget_missing(repository)
        changed |= _make_control_key(repository)
        changed |= _put_registry(repository, registry)
        for model in (*registry.trunks, *models, *sorted({version.parent.name for version in golden})):
            if model not in idle_models(registry):
                server.load(model)
    return changed


def _stage_hand_written(repository: Path, registry: Registry, staging: Path) -> dict[str, Path]:
    """Returns {model: its new folder}. What a repository says itself is kept: instances, identity, tokenizer.json."""
    if repository == HAND_WRITTEN:  # its code is this release's, perhaps with a developer's changes
        present = [file for model in HAND_WRITTEN_MODELS for file in (repository / model).rglob("*") if file.is_file()]
        own = [file for file in present if not NOT_SERVED & set(file.parts)]
        add_to_manifest(repository, hashes_of(own, repository))
        return {}
    tokenizers = {TOKENIZER} | {name for trunk in registry.trunks.values() for name in trunk.tokenizers}
    staged = {name: staging / name for name in (*sorted(tokenizers), *ROUTERS)}
    for name, folder in staged.items():
        copy_hand_written(name if name in HAND_WRITTEN_MODELS else TOKENIZER, folder)
        if name in tokenizers:
            shutil.copy2(repository / name / FIRST_VERSION / TOKENIZER_FILE, folder / FIRST_VERSION / TOKENIZER_FILE)
        else:
            _keep_settings(repository / name, folder)
    return staged


def _keep_settings(present: Path, new: Path) -> None:
    """The number of a router's instances, and the identity by which commands know the server of this repository."""
    before, config = read_config(present), read_config(new)
    config.instance_group[0].count = before.instance_group[0].count
    for name, value in before.parameters.items():
        config.parameters[name].CopyFrom(value)
    write_config(new, config)


def _replace_hand_written(repository: Path, models: Mapping[str, Path]) -> bool:
    """Replaces all of them if one differs: the routers import each other's code, and the tokenizer's."""
    hashes = {name: _hashes(folder) for name, folder in models.items()}
    changed = any(hashes[name] != _hashes(repository / name) for name in models)
    for name, folder in models.items() if changed else ():
        (folder / FIRST_VERSION / "model.py").touch()  # Triton loads a model anew only if a file's time has changed
        exchange(folder, repository / name)
    new = {f"{name}/{path}": digest for name, files in hashes.items() for path, digest in files.items()}
    if new.items() - read_manifest(repository).items():
        add_to_manifest(repository, new)
        changed = True
    return changed


def _hashes(model: Path) -> dict[str, str]:
    files = (file for file in model.rglob("*") if file.is_file() and not NOT_SERVED & set(file.parts))
    return hashes_of(files, model)


def _add_golden(repository: Path, golden: Mapping[Path, Path]) -> bool:
    """golden: {version's folder: the new file}."""
    for version, file in golden.items():
        root = version.relative_to(repository)
        hashes = hashes_of([file], file.parent)
        add_to_manifest(repository, {(root / name).as_posix(): digest for name, digest in hashes.items()})
        file.replace(version / file.name)
    return bool(golden)


def _put_trunk_configs(repository: Path, registry: Registry) -> bool:
    changed = False
    for name, trunk in registry.trunks.items():
        wanted = config_of_trunk(name, trunk, registry.runtime, registry.device)
        for file, config in trunk_configs(repository / name, wanted).items():
            if not is_config(file, config):
                add_to_manifest(repository, {file.relative_to(repository).as_posix(): config_sha256(config)})
                put_config(repository, file, config)
                changed = True
    return changed


def _make_control_key(repository: Path) -> bool:
    before = read_control_key(repository)
    return ensure_control_key(repository) != before


def _put_registry(repository: Path, registry: Registry) -> bool:
    """Writes it only if the file is of the earlier format: nothing else changes what it says."""
    with suppress(BuildError):
        return read_registry(repository) != registry
    write_registry(repository, registry)
    return True
