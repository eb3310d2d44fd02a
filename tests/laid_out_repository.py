"""Repositories as build and publish leave them, small and without weights, and a Triton that serves one."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.errors import BuildError
from build_tools.repository.in_memory import held_models
from build_tools.repository.manifest import write_manifest
from build_tools.repository.names import embedded_config
from build_tools.repository.registry import Registry, TaskEntry, TrunkEntry, VersionEntry, write_registry
from build_tools.repository.triton_config import (
    branch_config,
    ensemble_config,
    read_config,
    trunk_config,
    with_versions,
    write_config,
    write_trunk_configs,
)
from training.kinds import Kind

HIDDEN_SIZE = 16


class FakeTriton:
    """What Triton does with a repository in explicit mode, started with all models loaded.

    As `espalier serve` starts it: of two configs it reads the one for our own backends. calls: what it was told since.
    anew: (model, version) loaded since; only where a version was not there or its files or the config changed, the
    version policy aside.
    """

    is_running = True
    proves = False

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._loaded: dict[str, dict[int, tuple[object, ...]]] = {}
        self._configs: dict[str, pb.ModelConfig] = {}
        self.calls: list[tuple[str, str]] = []
        self.anew: list[tuple[str, int]] = []
        self.dead: set[str] = set()  # models whose process has died
        for folder in sorted(path for path in repository.iterdir() if path.is_dir()):
            self.load(folder.name)
        self.calls.clear()
        self.anew.clear()

    def put_in_force(self, repository: Path, registry: Registry) -> None:
        write_registry(repository, registry)

    def has_left(self, generation: int) -> bool:  # noqa: ARG002
        return True

    def now(self) -> datetime:
        return datetime.now(UTC)

    def ready_versions(self) -> dict[str, list[int]]:
        return {model: sorted(versions) for model, versions in self._loaded.items()}

    def config(self, model: str) -> pb.ModelConfig:
        return self._configs[model]

    def load(self, model: str) -> None:
        self.calls.append(("load", model))
        folder = self._repository / model
        if not (folder / "config.pbtxt").is_file():
            raise BuildError(f"Triton cannot load {model}: it has no config.pbtxt")
        config = read_config(folder)
        if embedded_config(folder).is_file():
            config = text_format.Parse(embedded_config(folder).read_text(encoding="utf-8"), pb.ModelConfig())
        there = sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
        if config.version_policy.HasField("specific"):
            wanted = [number for number in config.version_policy.specific.versions if number in there]
        else:
            wanted = there[-1:]
        if not wanted:
            raise BuildError(f"Triton cannot load {model}: no version is available")
        before, loaded = self._loaded.get(model, {}), {}
        for number in wanted:
            files = [hashlib.sha256(file.read_bytes()).digest() for file in sorted((folder / str(number)).iterdir())]
            loaded[number] = (with_versions(config, []).SerializeToString(deterministic=True), *files)
            if before.get(number) != loaded[number]:
                self.anew.append((model, number))
        self._loaded[model], self._configs[model] = loaded, config

    def unload(self, model: str) -> None:
        self.calls.append(("unload", model))
        self._loaded.pop(model, None)

    def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, np.ndarray],
        outputs: Iterable[str],
        seconds: float = 1.0,
    ) -> dict[str, np.ndarray]:
        """Zeros in the shapes that the config says, or nothing if the model's process is dead."""
        if model in self.dead or (version >= 0 and version not in self._loaded.get(model, {})):
            raise BuildError(f"{model} version {version} does not answer within {seconds:g} seconds")
        sizes = next(iter(inputs.values())).shape[:2]
        dims = {output.name: output.dims for output in self._configs[model].output}
        shapes = {
            name: [sizes[place] if size < 0 else size for place, size in enumerate(dims[name])] for name in outputs
        }
        return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def two_tasks(make_version: Callable[..., VersionEntry], config: dict[str, Any]) -> Registry:
    """Of intent version 3 is live, 2 and 1 were before; of mood there is one version. One trunk with taps 1 and 2."""
    mood = make_version(Kind.CLASSIFICATION, "branch_mood", task="mood", labels=["x", "y", "z"], tap=1)
    trunk = TrunkEntry(
        encoder="tiny",
        config=config,
        taps=[1, 2],
        fingerprints=["f0", "f1", "f"],
        tokenizers={"tokenizer": 16},
    )
    return Registry(
        runtime="openvino",
        trunks={"trunk": trunk},
        tasks={
            "intent": TaskEntry(
                live=3, earlier=[1, 2], newest=3, versions={number: make_version() for number in "123"}
            ),
            "mood": TaskEntry(live=1, versions={"1": mood}),
        },
    )


def lay_out_files(repository: Path, registry: Registry) -> Path:
    """Writes all files of a registry into a folder, over those that are there. Returns the folder."""
    for name, trunk in registry.trunks.items():
        _version(repository / name, trunk.version, "model.onnx")
        config = trunk_config(
            registry.runtime, trunk.taps, HIDDEN_SIZE, trunk.precision, name, trunk.version, trunk.limits
        )
        write_trunk_configs(repository / name, config)
    tokenizers = {"tokenizer"} | {name for trunk in registry.trunks.values() for name in trunk.tokenizers}
    for name in ("nlu", "nlu_stream", *tokenizers):
        _version(repository / name, 1, "model.py")
        write_config(repository / name, pb.ModelConfig(name=name, backend="python"))
    held = held_models(registry)
    for task, entry in registry.tasks.items():
        for number, version in entry.versions.items():
            _version(repository / version.model, int(number), "model.onnx")
            config = branch_config(registry.runtime, version, HIDDEN_SIZE, held.get(version.model, [int(number)]))
            write_config(repository / version.model, config)
        tokenizer = registry.trunks[entry.live_version.trunk].tokenizer_for(entry.live_version)
        (repository / task / "1").mkdir(parents=True, exist_ok=True)
        write_config(repository / task, ensemble_config(task, entry.live, entry.live_version, tokenizer))
    write_manifest(repository)
    write_registry(repository, registry)
    return repository


def _version(model: Path, number: int, file: str) -> None:
    folder = model / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(f"{model.name} version {number}", encoding="utf-8")
