"""Repositories of untrained tasks on a tiny trunk, one for each runtime, built once and copied for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from build_tools.repository.runtime import Runtime
from training.encoder import Encoder
from training.kinds import Kind


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "first")


@pytest.fixture(scope="session")
def checkpoints(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """(task, what is different) -> the folder of an untrained checkpoint."""
    root = tmp_path_factory.mktemp("checkpoints")

    def make(task: str, encoder: Encoder = encoder, **given: object) -> Path:
        return save_untrained(root / str(len(list(root.iterdir()))), encoder, task, **given)

    return make


@pytest.fixture(scope="session")
def built(checkpoints: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Runtime], Path]:
    """Three tasks on taps 1 and 2, as they were built for a runtime: leave it as it is."""
    folders = [
        checkpoints("intent"),
        checkpoints("slots", kind=Kind.TAGGING, labels=("O", "B-x", "I-x"), tap=1, layers=2),
        checkpoints("same", kind=Kind.PAIR_CLASSIFICATION),
    ]
    made: dict[Runtime, Path] = {}

    def build_for(runtime: Runtime) -> Path:
        if runtime not in made:
            made[runtime] = tmp_path_factory.mktemp("built") / "repository"
            build(folders, made[runtime], runtime=runtime)
        return made[runtime]

    return build_for


@pytest.fixture
def repository(built: Callable[[Runtime], Path], tmp_path: Path) -> Path:
    """For one test, which may change it."""
    shutil.copytree(built(Runtime.OPENVINO), tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def publish_to(repository: Path) -> Callable[..., tuple[str, int]]:
    """(checkpoint, options) -> the task and its new version, in `repository`, which no server serves."""
    return lambda folder, **options: publish(folder, repository, NoServer(), **options)
