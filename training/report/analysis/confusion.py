"""Counts which classes are confused with which."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """A confused pair of classes. rows: the number of such rows; share: of the rows of the true class."""

    gold: str
    predicted: str
    rows: int
    share: float


def confusion_matrix(golds: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Returns int [C, C]: rows are true classes, columns are predicted ones, in the order of `labels`."""
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    for gold, predicted in zip(golds, predictions, strict=True):
        counts[place[gold], place[predicted]] += 1
    return counts


def most_confused(golds: Sequence[str], predictions: Sequence[str], most: int) -> list[Confusion]:
    """Returns at most `most` pairs, the most frequent first; equally frequent pairs by share, then by name."""
    support = Counter(golds)
    wrong = Counter((gold, answer) for gold, answer in zip(golds, predictions, strict=True) if gold != answer)
    pairs = [Confusion(gold, answer, rows, rows / support[gold]) for (gold, answer), rows in wrong.items()]
    return sorted(pairs, key=lambda pair: (-pair.rows, -pair.share, pair.gold, pair.predicted))[:most]
