"""A repository of three untrained tasks behind a gate; every test of this folder asks it."""

from collections.abc import Iterator

import pytest
from gated_server import GatedServer
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from training.kinds import Kind

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedServer]:
    """Leave it as it is; who says another state says `ready` again."""
    folder = tmp_path_factory.mktemp("gated")
    encoder = tiny_encoder(folder / "encoder")
    made = {
        "intent": {},
        "same": {"kind": Kind.PAIR_CLASSIFICATION, "labels": ("no", "yes")},
        "slots": {"kind": Kind.TAGGING, "labels": ("O", "B-x", "I-x"), "tap": 1},
    }
    build(
        [save_untrained(folder / task, encoder, task, **given) for task, given in made.items()], folder / "repository"
    )
    with GatedServer(folder / "repository", folder / "gate") as server:
        yield server
