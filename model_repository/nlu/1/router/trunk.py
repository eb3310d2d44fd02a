"""Calls of a trunk."""

import os
from collections.abc import Sequence

import numpy as np

from router.bls import NEWEST, infer
from router.hidden_name import hidden_name

# Processes keep the memory that their largest call took, in the runtime and in the shared memory through which hidden
# states go. Far fewer tokens than a full batch of long texts has keep all cores of a CPU busy; a GPU may need them all.
_MOST_TOKENS_ON_CPU = 2048
_MOST_TOKENS = 64 * 512

States = dict[str, np.ndarray]  # hidden_<tap>: float32 [S, T, H]


class Trunk:
    """Computes a trunk in steps, from tap to tap.

    resumes: True if the model can continue from the hidden states of a lower tap. Our own backends can; NVIDIA's
    cannot. The branches of shallow taps are then computed beside the trunk's deeper layers, and answer earlier.
    most_tokens: of one call, padding included.
    """

    def __init__(self, resumes: bool) -> None:
        self._resumes = resumes
        self.most_tokens = _MOST_TOKENS_ON_CPU if resumes else _MOST_TOKENS

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
