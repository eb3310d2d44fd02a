"""Calls of a trunk, or of the graph into which it is fused with branches."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.bls import infer
from router.padded_group import PaddedGroup
from router.registry import Fused, Version
from router.route import Places, Step
from router.states import States
from router.tensor_names import hidden_name, logits_name

# Processes keep the memory that their largest call took, in the runtime and in the shared memory through which hidden
# states go. Far fewer tokens than a full batch of long texts has keep all cores of a CPU busy; a GPU may need them all.
_MOST_TOKENS_ON_CPU = 2048
_MOST_TOKENS = 64 * 512


@dataclass(frozen=True)
class Reached:
    """What a step has computed. hidden: by tap. logits: by version. depths: {sequence's place: its highest tap}."""

    hidden: Mapping[int, States]
    logits: Mapping[Version, States]
    depths: Mapping[int, int]


class Trunk:
    """Calls trunks and fused graphs.

    resumes: True if the models can go on from the hidden states of a tap, and a fused graph computes for each sequence
    only what is asked of it. Our own backends can; NVIDIA's compute everything that is asked of any sequence, from the
    tokens. most_tokens: of one call, padding included.
    """

    def __init__(self, resumes: bool) -> None:
        self.resumes = resumes
        self.most_tokens = _MOST_TOKENS_ON_CPU if resumes else _MOST_TOKENS

    @classmethod
    def from_environment(cls) -> "Trunk":
        """Returns a Trunk that resumes if `espalier serve`, which runs our own backends, says so."""
        return cls(os.environ.get("ESPALIER_TRUNK_RESUMES") == "1")

    def run(self, step: Step, group: PaddedGroup, places: Mapping[Version, Places], below: States | None) -> Reached:
        """Takes one step with those sequences of the group for which somebody waits.

        places: of those who wait. below: hidden states at the step's start. Raises RuntimeError if the call fails.
        """
        computed = step.sequences(places)
        hidden = step.hidden(places)
        logits = {version: sorted(set(places[version].values())) for version in step.inside if version in places}
        depths = dict.fromkeys(computed, max([*hidden, *(version.tap for version in logits)]))
        inputs = dict(group.some(computed))
        if below is not None:
            assert step.start is not None
            inputs[hidden_name(step.start)] = below.of(computed)
        if step.fused is not None and self.resumes:
            inputs["asked"] = _asked(step.fused, computed, hidden, logits)
            if below is not None:  # the graph takes tokens or hidden states
                del inputs["input_ids"], inputs["token_type_ids"]
            depths = _depths(hidden, logits)
        outputs = [*map(hidden_name, hidden), *(logits_name(version.task) for version in logits)]
        found = infer(step.model, step.number, inputs, outputs)

        def rows(name: str, asked: Sequence[int]) -> States:
            return States(asked if "asked" in inputs else computed, found[name])

        return Reached(
            hidden={tap: rows(hidden_name(tap), asked) for tap, asked in hidden.items()},
            logits={version: rows(logits_name(version.task), asked) for version, asked in logits.items()},
            depths=depths,
        )


def _asked(
    fused: Fused, computed: Sequence[int], hidden: Mapping[int, Sequence[int]], logits: Mapping[Version, Sequence[int]]
) -> np.ndarray:
    """Returns what each sequence asks of a fused graph: bool, a column for each task by name, then for each tap."""
    columns = [*fused.tasks, *fused.taps]
    row_of = {place: row for row, place in enumerate(computed)}
    asked = np.zeros((len(computed), len(columns)), dtype=bool)
    wanted = {version.task: places for version, places in logits.items()}
    for column, places in (*wanted.items(), *hidden.items()):
        asked[[row_of[place] for place in places], columns.index(column)] = True
    return asked


def _depths(hidden: Mapping[int, Sequence[int]], logits: Mapping[Version, Sequence[int]]) -> dict[int, int]:
    depths: dict[int, int] = {}
    for tap, places in (*hidden.items(), *((version.tap, places) for version, places in logits.items())):
        for place in places:
            depths[place] = max(tap, depths.get(place, tap))
    return depths
