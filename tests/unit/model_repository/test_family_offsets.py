"""Entities in texts with accents, CJK, emoji and punctuation, with the tokenizer of each encoder family."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from router.answer_from_logits import read_answer
from router.registry import Version
from router.spans import WORD
from text_tokenizer import TextTokenizer
from tiny_families import MODEL_TYPES, family_tokenizer

from training.data import Example
from training.tokenization import NOT_SEEN, tokenize

VERSION = Version("slots", 1, "tagging", ("O", "B-x", "I-x"), 2, 64, "branch_slots", "trunk")
# Each text with its entity, a part of it.
ENTITIES = [
    ("naïve café Äpfel Straße", "café Äpfel"),
    ("e\u0301te\u0301 in Orléans, please", "Orléans"),
    ("fly to 東京 now", "東京"),
    ("now 北京", "北京"),
    ("play 😀 👩\u200d👩\u200d👧 ok", "👩\u200d👩\u200d👧"),
    ("meet me (Miles Davis)!", "Miles Davis"),
    ("“Rome” is near", "Rome"),
    ("at 5 o'clock sharp", "5 o'clock"),
    ("write to a.b@c.org, today", "a.b@c.org"),
]


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
        begin, tag = text.index(entity), 1
        for (start, end), position in zip(words, tokens.word_positions, strict=True):
            assert position != NOT_SEEN, text
            in_entity = start < begin + len(entity) and end > begin
            logits[position] = np.eye(3)[tag if in_entity else 0] * 9
            tag = 2 if in_entity else 1
        row = SimpleNamespace(text=text, pair=None, all_scores=False)
        spans = read_answer(VERSION, row, encoding, logits)["spans"]
        assert [(span["text"], span["start"]) for span in spans] == [(entity, begin)], text
