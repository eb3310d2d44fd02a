"""Rows of what a call has computed, and to which sequences of a group they belong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class States:
    """Hidden states, or logits, of some sequences of a length group.

    places: of the sequences in the group, in order. array: float32 [len(places), ...].
    """

    places: Sequence[int]
    array: np.ndarray

    def of(self, places: Sequence[int]) -> np.ndarray:
        """Returns the rows of the sequences at `places`, which are in order and among those of these states."""
        if len(places) == len(self.places):
            return self.array
        row_of = {place: row for row, place in enumerate(self.places)}
        return self.array[[row_of[place] for place in places]]
