"""Entities in texts with accents, CJK, emoji and punctuation, with the tokenizer of each encoder family."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from router.answer_from_logits import read_answer
from router.registry import Version
from router.spans import WORD
from text_tokenizer import TextTokenizer
from tiny_families import ENTITIES, MODEL_TYPES, entity_tags, family_tokenizer

from training.data import Example
from training.tokenization import NOT_SEEN, tokenize

VERSION = Version("slots", 1, "tagging", ("O", "B-x", "I-x"), 2, 64, "branch_slots", "trunk")


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_tags_that_training_sets_are_read_back_as_the_entity(model_type: str, tmp_path: Path) -> None:
    tokenizer = family_tokenizer(model_type)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    served = TextTokenizer(tmp_path / "tokenizer.json", VERSION.max_length)
    for text, entity in ENTITIES:
        words = tuple(match.span() for match in WORD.finditer(text))
        (tokens,) = tokenize(tokenizer, [Example(text, "", None, words)], VERSION.max_length)
        (encoding,) = served.encode([(text, None)])
        logits = np.zeros((len(encoding.ids), 3), np.float32)
        logits[:, 1] = 1  # B-x: a tag that is read at another place begins a span of its own
        for tag, position in zip(entity_tags(text, entity), tokens.word_positions, strict=True):
            assert position != NOT_SEEN, text
            logits[position] = np.eye(3)[VERSION.labels.index(tag)] * 9
        row = SimpleNamespace(text=text, pair=None, all_scores=False)
        spans = read_answer(VERSION, row, encoding, logits)["spans"]
        assert [(span["text"], span["start"]) for span in spans] == [(entity, text.index(entity))], text
