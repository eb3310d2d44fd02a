"""Texts -> token ids. The tokenizer model uses this, and the router, which tokenizes in its own process."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer


class RefusedRequestError(ValueError):
    """A request cannot be read. The message is for its caller."""


# The whole text is normalized before it is truncated, at 16 bytes or more per character. Without a limit, one huge text
# could take all memory of a router that serves other callers too.
MOST_CHARACTERS = 100_000

# Of all texts and pairs of one request. Requests share batches: without it, few callers could fill the memory.
MOST_CHARACTERS_TOGETHER = 200_000

# The most that is tokenized at once, so that what is cut off is given back before the rest is tokenized.
_CHARACTERS_AT_ONCE = 500_000

# A runtime prepares kernels for each shape, so lengths are rounded up to a few buckets.
LENGTH_BUCKETS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@dataclass(frozen=True)
class CutEncoding:
    """What is kept of an encoding that was longer than the maximum. The library's own keeps all that was cut off."""

    ids: list[int]
    type_ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    overflowing: bool = True


Encoded = Encoding | CutEncoding


class TextTokenizer:
    """Tokenizes with a tokenizer.json. max_length (in tokens) replaces the file's own truncation, if given."""

    def __init__(self, file: Path, max_length: int | None = None) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        if max_length is not None:
            self._tokenizer.enable_truncation(max_length, strategy="longest_first")

    @property
    def max_length(self) -> int:
        """The most tokens that an encoding has. Raises ValueError if neither the file nor the caller sets a maximum."""
        if self._tokenizer.truncation is None:
            raise ValueError("the tokenizer does not truncate")
        return int(self._tokenizer.truncation["max_length"])

    def encode(self, texts: Sequence[tuple[str, str | None]]) -> list[Encoded]:
        """Returns one encoding per (text, pair). The pair is None for a single text."""
        encodings: list[Encoded] = []
        for some in _portions(texts):
            whole = self._tokenizer.encode_batch([text if pair is None else (text, pair) for text, pair in some])
            encodings += [_without_rest(encoding) for encoding in whole]
        return encodings


def _portions(texts: Sequence[tuple[str, str | None]]) -> Iterator[Sequence[tuple[str, str | None]]]:
    begin = characters = 0
    for number, (text, pair) in enumerate(texts):
        size = len(text) + len(pair or "")
        if characters + size > _CHARACTERS_AT_ONCE and number > begin:
            yield texts[begin:number]
            begin, characters = number, 0
        characters += size
    yield texts[begin:]


def _without_rest(encoding: Encoding) -> Encoded:
    if not encoding.overflowing:
        return encoding
    return CutEncoding(encoding.ids, encoding.type_ids, encoding.tokens, encoding.offsets)


def decode_texts(name: str, values: np.ndarray) -> list[str]:
    """Returns the texts of the input tensor `name`, which holds bytes.

    Raises RefusedRequestError, naming the row, if one is not UTF-8 or has more than MOST_CHARACTERS.
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


def check_size(*inputs: Sequence[str] | None) -> None:
    """Raises RefusedRequestError if the inputs of one request have more than MOST_CHARACTERS_TOGETHER."""
    characters = sum(len(text) for texts in inputs for text in texts or ())
    if characters > MOST_CHARACTERS_TOGETHER:
        raise RefusedRequestError(
            f"the request has {characters} characters: give at most {MOST_CHARACTERS_TOGETHER} in all its texts."
        )


def check_not_empty(name: str, texts: Sequence[str]) -> None:
    """Raises RefusedRequestError if the input `name` is missing, holds no text, or holds one that is_empty."""
    if not texts:
        raise RefusedRequestError(f"the request has no {name}: give the input `{name}`.")
    for row, text in enumerate(texts):
        if is_empty(text):
            raise RefusedRequestError(f"{name} {row} is empty: give at least one word.")


def is_empty(text: str) -> bool:
    """True if nothing in the text is visible: only blanks, control and format characters (Unicode's Cc and Cf)."""
    return all(character.isspace() or unicodedata.category(character) in ("Cc", "Cf") for character in text)


def bucket(length: int, max_length: int) -> int:
    """Returns the smallest length bucket that holds `length` tokens, or max_length if that is less."""
    return min(next((size for size in LENGTH_BUCKETS if size >= length), max_length), max_length)


def pad(encodings: Sequence[Encoded], length: int) -> dict[str, np.ndarray]:
    """Returns input_ids, attention_mask and token_type_ids of B encodings, each int64 [B, length]."""
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


def is_truncated(encoding: Encoded) -> bool:
    """True if part of the text did not fit."""
    return bool(encoding.overflowing)
