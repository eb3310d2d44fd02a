"""A repository of two untrained tasks, and artefacts for it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.packaging.package_file import package_file
from training.encoder import Encoder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """4 layers; the trunk that is built has two of them."""
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "first")


@pytest.fixture(scope="session")
def built(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it was built: leave it as it is."""
    folder = tmp_path_factory.mktemp("built")
    build([save_untrained(folder / task, encoder, task) for task in ("intent", "mood")], folder / "repository")
    return folder / "repository"


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    """For one test, which may change it."""
    shutil.copytree(built, tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture(scope="session")
def packaged(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """(task, seed) -> an artefact, made once for all tests."""
    root = tmp_path_factory.mktemp("artefacts")

    def packaged(task: str = "intent", seed: int = 1) -> Path:
        file = root / f"{task}_{seed}.espalier"
        if not file.exists():
            package_file(save_untrained(root / f"{task}_{seed}", encoder, task, seed=seed), file)
        return file

    return packaged
