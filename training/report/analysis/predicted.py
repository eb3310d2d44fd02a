"""What a branch answered."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Predicted:
    """One entry per dev row, labels and answers alike: a class name, a value, one tag per word, or class names."""

    golds: list[Any]
    answers: list[Any]
