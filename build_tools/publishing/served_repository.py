"""A repository that a command is changing, and the server that serves it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

from tritonclient.grpc import model_config_pb2 as pb

from build_tools.publishing.registry_transitions import leaving_from
from build_tools.publishing.running_server import Server
from build_tools.repository.in_memory import hidden_source
from build_tools.repository.locking import repository_lock
from build_tools.repository.manifest import add_to_manifest, read_manifest
from build_tools.repository.registry import Registry, read_registry
from build_tools.repository.triton_config import (
    config_sha256,
    fused_configs,
    is_config,
    put_config,
    read_config,
    trunk_configs,
    with_versions,
)


class ServedRepository:
    """A repository whose lock the caller holds, and the server that serves it.

    folder: the repository. server: a NoServer if none runs. registry: the content of registry.json.
    Nobody else changes the folder or the loaded models meanwhile, so each is read once and then kept up to date here.
    """

    def __init__(self, folder: Path, server: Server, report: Callable[[str], None] = lambda _: None) -> None:
        """report: told what takes time. Raises BuildError if registry.json is missing or damaged."""
        self.folder = folder
        self.server = server
        self.report = report
        self.registry = read_registry(folder)

    @classmethod
    @contextmanager
    def locked(cls, folder: Path, server: Server, report: Callable[[str], None]) -> Iterator[Self]:
        """Holds the repository's lock. Waits for other commands, and reports that it does.

        Raises BuildError if another command holds the lock for ten minutes, or if registry.json is missing or damaged.
        """
        with repository_lock(folder, report):
            yield cls(folder, server, report)

    @cached_property
    def loaded(self) -> dict[str, list[int]]:
        """{model: the versions that the server has loaded}."""
        return self.server.ready_versions()

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return read_manifest(self.folder)

    def replace_registry(self, registry: Registry) -> None:
        """Replaces registry.json by its next generation: from now on routers follow this registry.

        Raises BuildError if a fleet does not agree; then the file is as it was.
        """
        now = self.server.now()
        if now is not None:
            registry = leaving_from(self.registry, registry, now)
        self.registry = registry.model_copy(update={"generation": self.registry.generation + 1})
        self.server.put_in_force(self.folder, self.registry)

    def announce(self, hashes: dict[str, str]) -> None:
        """Adds files to manifest.json, before they are put in place. hashes: {path in the repository: SHA-256}."""
        add_to_manifest(self.folder, hashes)
        self._hashes.update(hashes)

    def put_config(self, file: Path, config: pb.ModelConfig) -> bool:
        """Writes a config unless the file already has it. Returns whether the file changed.

        The manifest is written first, so that it never lacks a file that exists. It is also repaired here if a command
        was killed between the two writes.
        """
        name, digest = file.relative_to(self.folder).as_posix(), config_sha256(config)
        differs = not is_config(file, config)
        if differs or self._hashes.get(name) != digest:
            self.announce({name: digest})
            put_config(self.folder, file, config)
        return differs

    def put_trunk_configs(self, trunk: str, config: pb.ModelConfig) -> bool:
        """Writes both configs of a trunk. Returns whether one of them changed."""
        changed = [self.put_config(file, one) for file, one in trunk_configs(self.folder / trunk, config).items()]
        return any(changed)

    def put_fused_configs(self, fused: str, config: pb.ModelConfig) -> bool:
        """Writes both configs of a fused model. Returns whether one of them changed."""
        changed = [self.put_config(file, one) for file, one in fused_configs(self.folder / fused, config).items()]
        return any(changed)

    def load(self, model: str, versions: list[int]) -> None:
        """Has the server load a model, of which the config names these versions."""
        self.server.load(model)
        if self.server.is_running:
            self.loaded[model] = versions

    def unload(self, model: str) -> None:
        """Has the server unload a model."""
        self.server.unload(model)
        self.loaded.pop(model, None)

    def configured(self, model: str) -> list[int]:
        """The versions that a branch's config names."""
        return list(read_config(self.folder / model).version_policy.specific.versions)

    def on_disk(self, model: str, versions: Iterable[int]) -> set[int]:
        """Those of these versions of a model whose folders exist."""
        return {version for version in versions if (self.folder / model / str(version)).is_dir()}

    def hold(self, model: str, versions: list[int]) -> None:
        """Loads these versions of a branch and unloads all others. Its config names them."""
        config = with_versions(read_config(self.folder / model), versions)
        self.put_config(self.folder / model / "config.pbtxt", config)
        if self.loaded.get(model) != versions:
            self.load(model, versions)

    def hold_source(self, trunk: str, tap: int) -> None:
        """Loads a trunk, unless it is loaded, or a fused graph gives out its hidden states at this tap."""
        version = self.registry.trunks[trunk].version
        if hidden_source(self.registry, trunk, tap) == trunk and self.loaded.get(trunk) != [version]:
            self.load(trunk, [version])

    def hold_also(self, model: str, version: int) -> None:
        """Loads a version of a branch beside those that are loaded, unless it is loaded already."""
        configured, loaded = self.configured(model), self.loaded.get(model, [])
        if version not in configured or (self.server.is_running and version not in loaded):
            self.hold(model, sorted({version} | self.on_disk(model, {*configured, *loaded})))
