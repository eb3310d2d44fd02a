"""A registry, and a repository that holds no more than it and its routers' configs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.repository.manifest import write_manifest
from build_tools.repository.registry import Registry, TaskEntry, TrunkEntry, VersionEntry, write_registry
from build_tools.repository.triton_config import write_config
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
    for router in ("nlu", "nlu_stream"):
        (folder / router).mkdir()
        write_config(folder / router, pb.ModelConfig(name=router, instance_group=[pb.ModelInstanceGroup(count=2)]))
    write_manifest(folder)
    write_registry(folder, registry)
    return folder
