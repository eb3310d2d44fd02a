"""Calls of a trunk."""

import os
from collections.abc import Sequence

import numpy as np

from router.bls import NEWEST, infer
from router.hidden_name import hidden_name

States = dict[str, np.ndarray]  # hidden_<tap>: float32 [S, T, H]


class Trunk:
    """Computes a trunk in steps, from tap to tap.

    resumes: True if the model can continue from the hidden states of a lower tap. Our own backends can; NVIDIA's
    cannot. The branches of shallow taps are then computed beside the trunk's deeper layers, and answer earlier.
    """

    def __init__(self, resumes: bool) -> None:
        self._resumes = resumes

    @classmethod
    def from_environment(cls) -> "Trunk":
        """Returns a Trunk that resumes if `espalier serve`, which runs our own backends, says so."""
        return cls(os.environ.get("ESPALIER_TRUNK_RESUMES") == "1")

    def steps(self, taps: Sequence[int]) -> list[list[int]]:
        """Returns the taps that each call reaches, in ascending order."""
        return [[tap] for tap in sorted(taps)] if self._resumes else [sorted(taps)]

    def run(self, model: str, arrays: dict[str, np.ndarray], below: States, taps: Sequence[int]) -> States:
        """Takes one step of the trunk `model`; layers above the deepest of `taps` are not computed.

        arrays: input_ids, attention_mask, token_type_ids, int64 [S, T]. below: the result of the step before, empty for
        the first one. Raises RuntimeError if the call fails.
        """
        return infer(model, NEWEST, arrays | below, [hidden_name(tap) for tap in taps])
