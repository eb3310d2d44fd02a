"""The sequences of one length group, padded to the same length, as trunk and branches read them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from text_tokenizer import Encoded, pad


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

    def branch_inputs(self, hidden: np.ndarray, places: Sequence[int]) -> dict[str, np.ndarray]:
        """Returns what a branch reads for the sequences at `places`. hidden: float32 [S, T, H], of all sequences."""
        mask = self.arrays["attention_mask"]
        if len(places) == len(self.encodings):
            return {"hidden": hidden, "attention_mask": mask}
        return {"hidden": hidden[places], "attention_mask": mask[places]}
