"""The model `nlu_naive`: all texts in one padded group, the whole trunk in one call, then one branch after another.

Everything else comes from copies of the package `router` and the model `nlu` (nlu_model.py) beside this file.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import nlu_model
from router.answer_from_logits import read_answer
from router.bls import infer
from router.padded_group import PaddedGroup
from router.registry import NEWEST, Registry
from router.router import Router
from router.row import Row, TaskAnswers
from router.states import States
from router.tensor_names import hidden_name


class NaiveRouter(Router):
    """No length groups, and one call at a time."""

    def answer(self, rows: Sequence[Row], registry: Registry) -> Iterator[tuple[str, TaskAnswers]]:
        """Yields (task, its answers for all rows)."""
        plan = self._planner.plan(rows, registry)
        if not plan.encodings:
            return
        group = PaddedGroup.of(plan.encodings, max(len(encoding.ids) for encoding in plan.encodings))
        taps = sorted({version.tap for version in plan.sequences})
        states = infer(plan.trunks[0], NEWEST, group.arrays, [hidden_name(tap) for tap in taps])
        everything = range(len(plan.encodings))
        for version, by_row in plan.sequences.items():
            inputs = group.branch_inputs(States(everything, states[hidden_name(version.tap)]), everything)
            logits = infer(version.model, version.number, inputs, ["logits"])["logits"]
            yield (
                version.task,
                {
                    row: json.dumps(read_answer(version, rows[row], group.encodings[index], logits[index]))
                    for row, index in by_row.items()
                },
            )


class TritonPythonModel(nlu_model.TritonPythonModel):
    """`nlu` with the naive router."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that holds this model."""
        self._router = NaiveRouter(Path(args["model_repository"]).parent, "nlu_naive")
