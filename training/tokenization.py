"""Examples -> token ids and the positions of words' first sub-words."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer

from training.data import Example
from training.word_core import core_start, reaches_core

NOT_SEEN = -1  # the position of a word that was truncated or has no token


@dataclass(frozen=True)
class Tokens:
    """One example as the encoder reads it.

    ids, types: token ids and segment numbers, special tokens included; at most max_length.
    word_positions: for tagging, the index in `ids` of each word's first sub-word, or NOT_SEEN; else empty.
    """

    ids: list[int]
    types: list[int]
    word_positions: list[int]


def tokenize(tokenizer: Tokenizer, examples: Sequence[Example], max_length: int) -> list[Tokens]:
    """Tokenizes texts and pairs, truncated to max_length tokens, of a pair the longer text first."""
    truncating = Tokenizer.from_str(tokenizer.to_str())
    truncating.enable_truncation(max_length, strategy="longest_first")
    inputs = [example.text if example.text_pair is None else (example.text, example.text_pair) for example in examples]
    encodings = truncating.encode_batch(inputs)
    return [
        Tokens(encoding.ids, encoding.type_ids, first_sub_words(example.text, encoding, example.words))
        for encoding, example in zip(encodings, examples, strict=True)
    ]


def first_sub_words(text: str, encoding: Encoding, words: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the index of the first sub-word of each word's core, or NOT_SEEN. words: (start, end) character offsets.

    That is the first token that shares a character with the core or what follows it. It may begin before the word: with
    Metaspace and byte-level tokenizers at the blank, and if one token spans several words.
    It uses offsets, not the tokenizer's own words, because BERT's pre-tokenizer also splits at punctuation and the data
    does not ("o'clock" is one word). The router does the same on raw text: see docs/serving.md for what a word is.
    """
    positions = [NOT_SEEN] * len(words)
    index, offsets = 0, encoding.offsets
    for word, (start, end) in enumerate(words):
        core = core_start(text, start, end)
        while index < len(offsets) and not reaches_core(offsets[index], core):
            index += 1
        if index == len(offsets):
            break
        if offsets[index][0] < end:
            positions[word] = index
    return positions
