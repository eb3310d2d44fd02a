"""The answers of a branch."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Predicted:
    """Labels and answers, one of each per dev row: a class name, a value, one tag per word, or several class names."""

    golds: list[Any]
    answers: list[Any]
