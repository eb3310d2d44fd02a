"""A registry, and a repository that holds no more than it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from build_tools.repository.manifest import write_manifest
from build_tools.repository.registry import Registry, TaskEntry, TrunkEntry, VersionEntry, write_registry
from training.encoder import Encoder


@pytest.fixture
def registry(make_version: Callable[..., VersionEntry], encoder: Encoder) -> Registry:
    """Of intent version 3 is live, 2 and 1 were before."""
    versions = {number: make_version() for number in "123"}
    trunk = TrunkEntry(
        encoder="tiny", config=encoder.config, taps=[2], fingerprints=["f"], tokenizers={"tokenizer": 16}
    )
    intent = TaskEntry(live=3, earlier=[1], newest=3, versions=versions)
    return Registry(runtime="openvino", trunks={"trunk": trunk}, tasks={"intent": intent})


@pytest.fixture
def repository(tmp_path: Path, registry: Registry) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    write_manifest(folder)
    write_registry(folder, registry)
    return folder
