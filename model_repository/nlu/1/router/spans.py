"""Words with tags -> spans with character offsets."""

import re
from collections.abc import Sequence
from typing import Any

from text_tokenizer import Encoded

from router.span_edges import trimmed
from router.word_core import core_start, reaches_core

Word = tuple[int, int, int]  # start, end (exclusive) in characters, position of the first sub-word

WORD = re.compile(r"\S+")


def word_offsets(text: str, encoding: Encoded) -> list[Word]:
    """Returns (start, end, token position) for each word between blanks, with offsets in characters.

    The position is that of the first sub-word of the word's core, which carries the word's tag, as in training. Words
    without a token, such as truncated ones, are left out.
    """
    words, position = [], 0
    offsets = encoding.offsets
    for match in WORD.finditer(text):
        start, end = match.span()
        core = core_start(text, start, end)
        while position < len(offsets) and not reaches_core(offsets[position], core):
            position += 1
        if position == len(offsets):
            break
        if offsets[position][0] < end:
            words.append((start, end, position))
    return words


def words_to_spans(
    text: str, words: Sequence[Word], tags: Sequence[str], scores: Sequence[float]
) -> list[dict[str, Any]]:
    """Returns spans as {"start", "end", "text", "label", "score"}; a span's score is the mean of its words' scores.

    BIO tags are read as seqeval reads them: an I- tag that continues no span begins one.
    """
    found: list[tuple[str, list[tuple[Word, float]]]] = []  # (label, words with their scores)
    previous = "O"
    for word, tag, score in zip(words, tags, scores, strict=True):
        prefix, _, label = tag.partition("-")
        if prefix == "B" or (prefix == "I" and label != previous.partition("-")[2]):
            found.append((label, []))
        if prefix != "O":
            found[-1][1].append((word, score))
        previous = tag
    return [_span(text, label, members) for label, members in found]


def _span(text: str, label: str, members: Sequence[tuple[Word, float]]) -> dict[str, Any]:
    words = [word for word, _ in members]
    start, end = trimmed(text, words[0][:2], words[-1][:2])
    score = sum(score for _, score in members) / len(members)
    return {"start": start, "end": end, "text": text[start:end], "label": label, "score": score}
