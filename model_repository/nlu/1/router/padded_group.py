"""The sequences of one length group, padded to the same length, as trunk and branches read them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from text_tokenizer import Encoded, pad

from router.states import States


@dataclass(frozen=True)
class PaddedGroup:
    """S sequences of T tokens. arrays: input_ids, attention_mask, token_type_ids, int64 [S, T]."""

    encodings: Sequence[Encoded]
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, encodings: Sequence[Encoded], length: int) -> "PaddedGroup":
        """Pads the encodings to T = length."""
        return cls(encodings, pad(encodings, length))

    @property
    def tokens(self) -> int:
        """S * T, padding included."""
        return int(self.arrays["attention_mask"].size)

    def some(self, places: Sequence[int]) -> dict[str, np.ndarray]:
        """Returns the arrays of the sequences at `places`, which are in order."""
        if len(places) == len(self.encodings):
            return self.arrays
        return {name: array[places] for name, array in self.arrays.items()}

    def branch_inputs(self, states: States, places: Sequence[int]) -> dict[str, np.ndarray]:
        """Returns what a branch reads for the sequences at `places`, which are in order."""
        return {"hidden": states.of(places), "attention_mask": self.some(places)["attention_mask"]}
