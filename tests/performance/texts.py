"""Texts of exact lengths in tokens, made of words that the tokenizer takes for one token each."""

import random
from collections.abc import Sequence
from pathlib import Path

from errors import BenchError
from tokenizers import Tokenizer

TEXTS = 256  # of each length
MIX = "mix"
MIX_MEDIAN = 16
MIX_SIGMA = 0.6
MIX_RANGE = (4, 128)
SPECIAL = 2  # [CLS] and [SEP]


def lengths_of(tokens: str, seed: int = 0) -> list[int]:
    """The lengths, with [CLS] and [SEP], of TEXTS texts: all `tokens`, or for "mix" log-normal ones.

    Raises BenchError if `tokens` is neither "mix" nor a number of 4 or more.
    """
    if tokens == MIX:
        least, most = MIX_RANGE
        draw = random.Random(seed)
        drawn = (round(MIX_MEDIAN * draw.lognormvariate(0, MIX_SIGMA)) for _ in range(TEXTS))
        return [min(max(length, least), most) for length in drawn]
    if not tokens.isdecimal() or int(tokens) < MIX_RANGE[0]:
        raise BenchError(f"{tokens!r} is no length of texts: give a number of tokens, 4 or more, or {MIX}.")
    return [int(tokens)] * TEXTS


def single_token_words(tokenizer: Tokenizer) -> list[str]:
    """Its whole lower-case words, in order. Raises BenchError if it has too few to make different texts of."""
    words = sorted(word for word in tokenizer.get_vocab() if word.isascii() and word.isalpha() and word.islower())
    encodings = tokenizer.encode_batch(words)
    found = [word for word, encoding in zip(words, encodings, strict=True) if len(encoding.ids) == 1 + SPECIAL]
    if len(found) < TEXTS:
        raise BenchError(f"the tokenizer has {len(found)} whole words: too few for {TEXTS} different texts.")
    return found


def make_texts(lengths: Sequence[int], tokenizer: Tokenizer, seed: int = 0) -> list[str]:
    """One text per length, all different. Raises BenchError if a text comes to another number of tokens."""
    words = single_token_words(tokenizer)
    draw = random.Random(seed)
    texts: list[str] = []
    made: set[str] = set()
    for length in lengths:
        text = " ".join(draw.choices(words, k=length - SPECIAL))
        while text in made:
            text = " ".join(draw.choices(words, k=length - SPECIAL))
        made.add(text)
        texts.append(text)
    for text, length, encoding in zip(texts, lengths, tokenizer.encode_batch(texts), strict=True):
        if len(encoding.ids) != length:
            raise BenchError(f"the text {text!r} has {len(encoding.ids)} tokens, wanted were {length}.")
    return texts


def plain_tokenizer(repository: Path) -> Tokenizer:
    """The repository's tokenizer, without truncation."""
    tokenizer = Tokenizer.from_file(str(repository / "tokenizer" / "1" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
