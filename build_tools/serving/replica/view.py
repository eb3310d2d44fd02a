"""The view: a repository of this replica's own, whose large files are links into the shared folder.

Triton, routers, gate and watch use it as they use any repository. So they see a generation only once this replica has
put it there, and nothing is ever written to the shared folder.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import follow_registry
from build_tools.repository.control_key import CONTROL_KEY
from build_tools.repository.manifest import (
    MANIFEST,
    NOT_SERVED,
    add_to_manifest,
    forget_missing,
    hashes_of,
    read_manifest,
    write_manifest,
)
from build_tools.repository.names import embedded_config
from build_tools.repository.registry import REGISTRY, Registry
from build_tools.repository.triton_config import branch_config, config_sha256, put_config
from build_tools.serving.replica.errors import NotHereError
from build_tools.serving.replica.generation import Generation
from build_tools.serving.replica.needs import Needs
from training.atomic_write import replace_file

REPLICA_OF = "replica_of"  # marks a view, also for the routers; it holds the path of the shared folder


class View:
    """folder: the view. shared: the repository that it shows.

    Every file is compared with its SHA-256 in the shared manifest before it is linked or copied.
    """

    def __init__(self, folder: Path, shared: Path) -> None:
        """Makes an empty view of a new folder."""
        self.folder = folder
        # Not resolved: where the given path is a link itself, the view goes on to follow it.
        self.shared = shared.absolute()
        folder.mkdir()
        (folder / REPLICA_OF).write_text(f"{self.shared}\n", encoding="utf-8")
        (folder / CONTROL_KEY).symlink_to(self.shared / CONTROL_KEY)
        write_manifest(folder)

    def build(self, generation: Generation) -> None:
        """Fills a view with all that a Triton needs that starts on it. Raises NotHereError; then call it again."""
        self.fetch(generation.registry)
        self.put_in_force(generation)
        follow_registry(ServedRepository(self.folder, NoServer()))

    def put_in_force(self, generation: Generation) -> None:
        """Replaces registry.json: from now on this server's routers follow this generation."""
        replace_file(self.folder / REGISTRY, generation.content, staged_in=self.folder)

    def fetch(self, registry: Registry) -> None:
        """Takes over what the registry needs and is not here yet. Loads and unloads nothing.

        Raises NotHereError, naming the file, if one is missing in the shared folder or is not what its manifest says.
        What was taken over by then stays.
        """
        try:
            self._fetch(registry)
        except OSError as error:
            raise NotHereError(f"{self.shared} cannot be taken over yet: {error}.") from error

    def keep_only(self, registries: Iterable[Registry], tasks: Iterable[str]) -> None:
        """Removes the folders that none of the registries needs. Triton has none of them loaded.

        tasks: whose ensembles stay.
        """
        needs = [Needs.of(registry) for registry in registries]
        versions = {version for one in needs for version in one.versions}
        models = {*tasks, *(model for one in needs for model in one.models)}
        for folder in [path for path in self.folder.iterdir() if path.is_dir()]:
            if folder.name not in models:
                shutil.rmtree(folder)
            elif any(model == folder.name for model, _ in versions):
                for link in [path for path in folder.iterdir() if path.name.isdecimal()]:
                    if (folder.name, int(link.name)) not in versions:
                        link.unlink()
        forget_missing(self.folder)

    def remove_dangling(self) -> None:
        """Links to versions that the shared folder has lost: with one of them, Triton loads no version of the model.

        Does nothing while the whole folder is away: it will come back.
        """
        if not (self.shared / MANIFEST).exists():
            return
        for link in self.folder.glob("*/*"):
            if link.is_symlink() and not link.exists():
                link.unlink()

    def _fetch(self, registry: Registry) -> None:
        self.remove_dangling()
        known = self._shared_hashes()
        needs = Needs.of(registry)
        for model in sorted(needs.hand_written):
            if not (self.folder / model).is_dir():
                self._copy(model, known)
        fused = {trunk.fused.model for trunk in registry.trunks.values() if trunk.fused is not None}
        own = read_manifest(self.folder)
        for model, version in sorted(needs.versions):
            name = f"{model}/{version}"
            if not (self.folder / name).is_dir() or not _below(name, own):
                if model in fused:
                    self._copy_configs(model, known)
                self._link(name, known)
            elif _below(name, own) != _below(name, known):
                # The number of a version that was withdrawn is used again.
                raise NotHereError(f"{name} is another one than that which is still loaded here.")
        self._write_branch_configs(registry)

    def _shared_hashes(self) -> dict[str, str]:
        try:
            return read_manifest(self.shared)
        except (BuildError, OSError) as error:
            raise NotHereError(f"{self.shared / MANIFEST} cannot be read yet ({error}).") from error

    def _copy(self, model: str, known: dict[str, str]) -> None:
        """Copies a whole model, because Python is compiled in its folder, and moves it in when it is complete."""
        staged = self.folder.with_name("staged") / model
        shutil.rmtree(staged, ignore_errors=True)
        hashes = _files_below(model, known)
        for name in hashes:
            file = staged / Path(name).relative_to(model)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._read(name, known))
        add_to_manifest(self.folder, hashes)
        staged.rename(self.folder / model)

    def _copy_configs(self, model: str, known: dict[str, str]) -> None:
        """A fused graph's configs are not made anew from a registry, which may have forgotten what is inside."""
        files = [Path(model, "config.pbtxt"), embedded_config(Path(model))]
        for name in [file.as_posix() for file in files]:
            content = self._read(name, known)
            add_to_manifest(self.folder, {name: known[name]})
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / name, content, staged_in=self.folder)

    def _link(self, name: str, known: dict[str, str]) -> None:
        source, link = self.shared / name, self.folder / name
        hashes = _files_below(name, known)
        for file in hashes:
            self._check(file, known)
        for path in source.rglob("*"):
            known_as = path.relative_to(self.shared).as_posix()
            if path.is_symlink() or (path.is_file() and known_as not in hashes and not NOT_SERVED & set(path.parts)):
                raise NotHereError(f"{path} was neither built nor published (it is not in {MANIFEST}): move it away.")
        add_to_manifest(self.folder, hashes)
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(source, target_is_directory=True)

    def _write_branch_configs(self, registry: Registry) -> None:
        """Of branch models that are new here. Which versions are loaded is settled when they are."""
        for entry in registry.tasks.values():
            for number, version in entry.versions.items():
                file = self.folder / version.model / "config.pbtxt"
                if (file.parent / number).is_dir() and not file.exists():
                    hidden_size = registry.trunks[version.trunk].hidden_size
                    loaded, device = [int(number)], registry.device
                    config = branch_config(registry.runtime, version, hidden_size, loaded, device)
                    add_to_manifest(self.folder, {f"{version.model}/config.pbtxt": config_sha256(config)})
                    put_config(self.folder, file, config)

    def _read(self, name: str, known: dict[str, str]) -> bytes:
        self._check(name, known)
        return (self.shared / name).read_bytes()

    def _check(self, name: str, known: dict[str, str]) -> None:
        file = self.shared / name
        try:
            found = hashes_of([file], self.shared)[name]
        except OSError as error:
            raise NotHereError(f"{file} is not here yet ({error.strerror}).") from error
        if name not in known:
            raise NotHereError(f"{file} is not in {MANIFEST} yet.")
        if found != known[name]:
            raise NotHereError(
                f"{file} is not, or not yet, what was published: its SHA-256 is not the one in {MANIFEST}."
            )


def _below(folder: str, hashes: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in hashes.items() if name.startswith(f"{folder}/")}


def _files_below(folder: str, known: dict[str, str]) -> dict[str, str]:
    hashes = _below(folder, known)
    if not hashes:
        raise NotHereError(f"{folder} is not in {MANIFEST} yet.")
    return hashes
