"""Texts -> token ids, for the tokenizer model and, in its own process, for the router."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer


class RefusedRequestError(ValueError):
    """A request that cannot be read; the sentence is for its caller."""


# All of a text is normalized, whatever is cut off afterwards: at 16 bytes and more a character, one caller's huge text
# would take the memory of all others' router.
MOST_CHARACTERS = 100_000

# Triton's dynamic batcher joins requests of equal shape only: lengths are rounded up to a few.
LENGTH_BUCKETS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class TextTokenizer:
    """A tokenizer.json; it truncates as that file says, unless max_length (in tokens) says otherwise."""

    def __init__(self, file: Path, max_length: int | None = None) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        if max_length is not None:
            self._tokenizer.enable_truncation(max_length, strategy="longest_first")

    @property
    def max_length(self) -> int:
        """The most tokens that an encoding has. Raises ValueError if neither file nor caller set one."""
        if self._tokenizer.truncation is None:
            raise ValueError("the tokenizer does not truncate")
        return int(self._tokenizer.truncation["max_length"])

    def encode(self, texts: Sequence[tuple[str, str | None]]) -> list[Encoding]:
        """One encoding per (text, pair); a pair of None is a single text."""
        return self._tokenizer.encode_batch([text if pair is None else (text, pair) for text, pair in texts])


def decode_texts(name: str, values: np.ndarray) -> list[str]:
    """The UTF-8 texts of an input tensor of bytes.

    Raises RefusedRequestError, naming the row, for anything else and for a text of more than MOST_CHARACTERS.
    """
    texts = []
    for row, value in enumerate(values.reshape(-1)):
        try:
            texts.append(value.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise RefusedRequestError(f"{name} {row} is not valid UTF-8 at byte {error.start}.") from error
        if len(texts[-1]) > MOST_CHARACTERS:
            raise RefusedRequestError(f"{name} {row} has {len(texts[-1])} characters: give at most {MOST_CHARACTERS}.")
    return texts


def check_not_empty(texts: Sequence[str]) -> None:
    """Raises RefusedRequestError, naming the row, for a text without a word."""
    for row, text in enumerate(texts):
        if not text.strip():
            raise RefusedRequestError(f"text {row} is empty: give at least one word.")


def bucket(length: int, max_length: int) -> int:
    """The smallest length bucket that holds `length` tokens, or max_length if that is less."""
    return min(next((size for size in LENGTH_BUCKETS if size >= length), max_length), max_length)


def pad(encodings: Sequence[Encoding], length: int) -> dict[str, np.ndarray]:
    """input_ids, attention_mask and token_type_ids of B encodings, each int64 [B, length]."""
    arrays = {
        name: np.zeros((len(encodings), length), dtype=np.int64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    for row, encoding in enumerate(encodings):
        size = len(encoding.ids)
        arrays["input_ids"][row, :size] = encoding.ids
        arrays["attention_mask"][row, :size] = 1
        arrays["token_type_ids"][row, :size] = encoding.type_ids
    return arrays


def is_truncated(encoding: Encoding) -> bool:
    """True if the text did not fit."""
    return bool(encoding.overflowing)
