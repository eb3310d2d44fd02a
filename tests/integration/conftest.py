"""A tiny BERT on disk, as a user's local encoder folder."""

import string
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

WORDS = ("wake", "me", "at", "seven", "play", "jazz", "rock", "in", "paris", "rome")


def _tokenizer() -> Tokenizer:
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *string.ascii_lowercase]
    names += [f"##{letter}" for letter in string.ascii_lowercase]
    tokenizer = Tokenizer(models.WordPiece({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


@pytest.fixture(scope="session")
def make_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """(seed) -> a folder with a random BERT of 4 layers, width 32 and 64 positions, the same for the same seed."""

    def make_encoder_folder(seed: int) -> Path:
        folder = tmp_path_factory.mktemp("encoder")
        tokenizer = _tokenizer()
        config = BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=32,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.2,  # wide, so that another text gives clearly other logits
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            BertModel(config).save_pretrained(folder)
        tokenizer.save(str(folder / "tokenizer.json"))
        return folder

    return make_encoder_folder


@pytest.fixture(scope="session")
def encoder_folder(make_encoder_folder: Callable[[int], Path]) -> Path:
    """The encoder that the checkpoints of these tests are trained on."""
    return make_encoder_folder(0)
