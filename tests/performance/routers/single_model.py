"""The model `nlu` for single-task serving: the same router without a trunk, and a whole encoder for each branch.

Everything else (reading requests, tokenizing, length groups, calls at once, answers) comes from copies of the package
`router` and the model `nlu` (nlu_model.py) beside this file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import nlu_model
import numpy as np
import router.climb
import router.registry_file
from router.padded_group import PaddedGroup
from router.registry import Version
from router.route import Places, Step
from router.router import Router
from router.states import States
from router.trunk import Reached, Trunk


class NoTrunk(Trunk):
    """Makes no call: every encoder reads the tokens itself."""

    def run(self, step: Step, group: PaddedGroup, places: Mapping[Version, Places], below: States | None) -> Reached:
        """Returns the tokens in place of hidden states."""
        del below
        hidden = {tap: States(rows, group.some(rows)["input_ids"]) for tap, rows in step.hidden(places).items()}
        return Reached(hidden, {}, {})


class TokenGroup(PaddedGroup):
    """Hands out tokens where a branch would read hidden states."""

    def branch_inputs(self, states: States, places: Sequence[int]) -> dict[str, np.ndarray]:
        """Returns what an encoder reads for the sequences at `places`."""
        del states
        return self.some(places)


router.climb.PaddedGroup = TokenGroup
router.registry_file.check_models = lambda *_: None  # there is no trunk that could be looked at


class TritonPythonModel(nlu_model.TritonPythonModel):
    """`nlu` over whole encoders."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that holds this model."""
        self._router = Router(Path(args["model_repository"]).parent, "nlu")
        self._router._equipment = replace(self._router._equipment, trunk=NoTrunk(resumes=False))
