"""The model `nlu` of single-task serving: the same router with no trunk, and a whole encoder in each branch's place.

Beside it lie a copy of the package `router` and of the model `nlu` (nlu_model.py), of which all else is taken: intake,
tokenizing, length groups, calls at once and answers are the same.
"""

from collections.abc import Sequence
from pathlib import Path

import nlu_model
import numpy as np
import router.climb
from router.padded_group import PaddedGroup
from router.router import Router
from router.trunk import States, Trunk, hidden_name


class NoTrunk(Trunk):
    """Calls nothing: every encoder reads the tokens itself."""

    def run(self, model: str, arrays: dict[str, np.ndarray], below: States, taps: Sequence[int]) -> States:
        """The tokens in the hidden states' place."""
        del model, below
        return {hidden_name(tap): arrays["input_ids"] for tap in taps}


class TokenGroup(PaddedGroup):
    """Hands out tokens where a branch would read hidden states."""

    def branch_inputs(self, hidden: np.ndarray, places: Sequence[int]) -> dict[str, np.ndarray]:
        """What an encoder reads for the sequences at `places`."""
        del hidden
        if len(places) == len(self.encodings):
            return self.arrays
        return {name: array[places] for name, array in self.arrays.items()}


router.climb.PaddedGroup = TokenGroup


class TritonPythonModel(nlu_model.TritonPythonModel):
    """`nlu` over whole encoders."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent, "nlu")
        self._router._trunk = NoTrunk(resumes=False)
