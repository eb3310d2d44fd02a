"""Renames the folders of a staged version into the repository."""

from pathlib import Path

from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.staged_version import StagedVersion
from build_tools.repository.manifest import hashes_of
from build_tools.repository.registry import VersionEntry
from build_tools.repository.triton_config import branch_config, read_config, write_config
from training.atomic_write import rename_folder


def move_in(staged: StagedVersion, served: ServedRepository, version: VersionEntry, number: int) -> None:
    """Moves tokenizers and trunk in first: a branch never appears without the models that it reads."""
    for name, folder in staged.tokenizers.items():
        _rename(folder, served.folder / name, served)
    if staged.trunk is not None:
        _move_trunk_in(staged.trunk, staged.plan.name, served)
    model = served.folder / version.model
    if model.is_dir():
        _rename(staged.branch, model / str(number), served)
    else:
        new = staged.branch.with_name(version.model)
        new.mkdir()
        staged.branch.rename(new / str(number))
        registry, hidden_size = served.registry, staged.plan.entry.hidden_size
        write_config(new, branch_config(registry.runtime, version, hidden_size, [number], registry.device))
        _rename(new, model, served)


def _move_trunk_in(version: Path, name: str, served: ServedRepository) -> None:
    present = served.folder / name
    if present.is_dir():
        _rename(version, present / version.name, served)
        served.put_trunk_configs(name, read_config(version.parent))
    else:
        _rename(version.parent, present, served)


def _rename(staged: Path, place: Path, served: ServedRepository) -> None:
    """Adds the files to the manifest, then renames: a server that starts in between finds no unknown file."""
    root = place.relative_to(served.folder)
    hashes = hashes_of((file for file in staged.rglob("*") if file.is_file()), staged)
    served.announce({(root / name).as_posix(): digest for name, digest in hashes.items()})
    rename_folder(staged, place)
