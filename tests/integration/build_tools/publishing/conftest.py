"""A repository of three untrained tasks on a tiny trunk, built once and copied for each test; no server runs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from training.encoder import Encoder
from training.kinds import Kind


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """5 layers; the trunk that is built has three of them, with taps 1 and 3."""
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "first", layers=5)


@pytest.fixture(scope="session")
def checkpoints(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """(task, what is different) -> the folder of an untrained checkpoint at tap 3, made once for all tests."""
    root = tmp_path_factory.mktemp("checkpoints")
    made: dict[str, Path] = {}

    def make(task: str, encoder: Encoder = encoder, **given: object) -> Path:
        given = {"tap": 3, **given}
        key = repr((task, encoder.name, sorted(given.items())))
        if key not in made:
            made[key] = save_untrained(root / str(len(made)), encoder, task, **given)
        return made[key]

    return make


@pytest.fixture(scope="session")
def built(checkpoints: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it was built: leave it as it is."""
    repository = tmp_path_factory.mktemp("built") / "repository"
    slots = checkpoints("slots", kind=Kind.TAGGING, labels=("O", "B-x", "I-x"), tap=1)
    build([checkpoints("intent"), slots, checkpoints("same", kind=Kind.PAIR_CLASSIFICATION)], repository)
    return repository


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    """For one test, which may change it."""
    shutil.copytree(built, tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def publish_to(repository: Path) -> Callable[..., tuple[str, int]]:
    """(checkpoint, options) -> the task and its new version, in `repository`, which no server serves."""
    return lambda folder, **options: publish(folder, repository, NoServer(), **options)
