"""Words with tags -> spans with character offsets."""

import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Encoding

Word = tuple[int, int, int]  # start, end (exclusive) in characters, position of the first sub-word

WORD = re.compile(r"\S+")
# Punctuation that is attached to a word in running text, but is a word of its own in the training data.
LEADING = "\"'([{\u201c\u2018\u00ab"  # with the opening typographic quotes
TRAILING = "\"')]}\u201d\u2019\u00bb.,;:!?"  # with the closing ones
PARTNERS = {"(": ")", "[": "]", "{": "}", ")": "(", "]": "[", "}": "{"}


def word_offsets(text: str, encoding: Encoding) -> list[Word]:
    """Returns (start, end, token position) for each word between blanks, with offsets in characters.

    The position is that of the word's first sub-word, which carries the word's tag, as in training. Words without a
    token, such as truncated ones, are left out.
    """
    words, position = [], 0
    offsets = encoding.offsets
    for match in WORD.finditer(text):
        start, end = match.span()
        # Special tokens have the offsets (0, 0).
        while position < len(offsets) and (offsets[position][0] < start or offsets[position][1] == 0):
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
    start, end = _without_punctuation(text, words[0], words[-1])
    score = sum(score for _, score in members) / len(members)
    return {"start": start, "end": end, "text": text[start:end], "label": label, "score": score}


def _without_punctuation(text: str, first: Word, last: Word) -> tuple[int, int]:
    """Returns the span's start and end in characters, without punctuation attached to its first or last word.

    A word that is all punctuation stays: it was tagged as part of the span, and is attached to nothing.
    """
    start, first_end, _ = first
    last_start, end, _ = last
    left, right = start, end
    while right > last_start and _is_closing(text, start, right):
        right -= 1
    if right == last_start:
        right = end
    while left < min(first_end, right) and _is_opening(text, left, right):
        left += 1
    if left == first_end:
        left = start
    return (left, right) if left < right else (start, end)


def _is_closing(text: str, start: int, right: int) -> bool:
    """True if text[right - 1] ends a phrase or closes a bracket or quote that was opened before the span.

    "Inc." keeps its dot within a text and loses it at the end, "U.S." keeps its last dot, "song (live)" its bracket.
    """
    mark = text[right - 1]
    if mark == ".":
        return right == len(text.rstrip()) and "." not in text[start : right - 1]
    return mark in TRAILING and PARTNERS.get(mark, "\n") not in text[start + 1 : right - 1]


def _is_opening(text: str, left: int, right: int) -> bool:
    """True if text[left] opens a bracket or quote that is closed behind the span; "(500) Days" keeps its bracket."""
    return text[left] in LEADING and PARTNERS.get(text[left], "\n") not in text[left + 1 : right]
