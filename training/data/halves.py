"""Cuts dev in two: one half chooses (the epoch, L, l, the learning rate), the other gives the figures that are told.

The best of many scores is too high by its luck. Rows that chose nothing have no part in that luck.
"""

import random
from collections.abc import Sequence

from training.data.example import Example
from training.errors import TrainingError


def cut_in_half(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Returns the rows that choose and the rows that are held back, each in the order given; of an odd number, the
    first half has one more.

    Raises TrainingError if there are fewer than two rows.
    """
    if len(examples) < 2:
        raise TrainingError("dev has one row, which cannot be cut in two: give more rows, or leave out --halve-dev.")
    choosing = set(random.Random(seed).sample(range(len(examples)), -(-len(examples) // 2)))
    return (
        [example for row, example in enumerate(examples) if row in choosing],
        [example for row, example in enumerate(examples) if row not in choosing],
    )
