"""A tiny BERT on disk, as a user's local encoder folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_bert import save_encoder, tiny_bert
from tiny_tokenizer import LETTERS, tiny_tokenizer

WORDS = ("wake", "me", "at", "seven", "play", "jazz", "rock", "in", "paris", "rome")


@pytest.fixture(scope="session")
def make_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """(seed) -> a folder with a random BERT of 4 layers, width 32 and 64 positions, the same for the same seed."""
    tokenizer = tiny_tokenizer(*WORDS, *LETTERS)

    def make_encoder_folder(seed: int) -> Path:
        return save_encoder(tmp_path_factory.mktemp("encoder"), tiny_bert(tokenizer, seed=seed), tokenizer)

    return make_encoder_folder


@pytest.fixture(scope="session")
def encoder_folder(make_encoder_folder: Callable[[int], Path]) -> Path:
    """The encoder that the checkpoints of these tests are trained on."""
    return make_encoder_folder(0)
