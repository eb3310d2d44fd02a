"""What the router is asked in load: many different texts, as tensors of `nlu` and `nlu_stream`."""

import random
from collections.abc import Sequence

from text_tensors import text_tensors
from tritonclient import grpc

BATCH = 64  # texts, the most that the router takes
_WORDS = ("play", "wake", "me", "some jazz", "at", "seven", "tomorrow", "and", "what", "is", "the", "weather", "please")


def different_texts(count: int, most: int = 50, seed: int = 0) -> list[str]:
    """Of mixed lengths: 2 to `most` words and a number."""
    rng = random.Random(seed)
    return [" ".join([*rng.choices(_WORDS, k=rng.randint(2, most)), str(number)]) for number in range(count)]


def router_inputs(texts: Sequence[str], tasks: str | None) -> list[grpc.InferInput]:
    """tasks: of every text, joined by commas; all if None."""
    return text_tensors({"text": texts, "tasks": None if tasks is None else [tasks] * len(texts)}, shape=(-1, 1))
