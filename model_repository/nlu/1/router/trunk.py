"""Calls of a trunk."""

import os
from collections.abc import Sequence

import numpy as np

from router.bls import NEWEST, infer

States = dict[str, np.ndarray]  # hidden_<tap>: float32 [S, T, H]


def hidden_name(tap: int) -> str:
    """The trunk's output for this tap, and the input from which it goes on."""
    return f"hidden_{tap}"


class Trunk:
    """The trunk, step by step.

    resumes: whether the model takes the hidden states of a lower tap and goes on from there, as our own backends do and
    NVIDIA's do not. Branches of shallow taps are then computed beside the trunk's deeper layers, and answered before.
    """

    def __init__(self, resumes: bool) -> None:
        self._resumes = resumes

    @classmethod
    def from_environment(cls) -> "Trunk":
        """As `espalier serve` says, which runs the backends that resume."""
        return cls(os.environ.get("ESPALIER_TRUNK_RESUMES") == "1")

    def steps(self, taps: Sequence[int]) -> list[list[int]]:
        """The taps that each call is to reach, in ascending order."""
        return [[tap] for tap in sorted(taps)] if self._resumes else [sorted(taps)]

    def run(self, model: str, arrays: dict[str, np.ndarray], below: States, taps: Sequence[int]) -> States:
        """One step of the trunk `model`.

        arrays: input_ids, attention_mask, token_type_ids, int64 [S, T]. below: what the step before gave.

        Nothing above the deepest of `taps` is computed. Raises RuntimeError if the call fails.
        """
        return infer(model, NEWEST, arrays | below, [hidden_name(tap) for tap in taps])
