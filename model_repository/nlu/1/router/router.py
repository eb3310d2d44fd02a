"""Rows -> answers, through one pass of the trunk and one of each branch that was asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from text_tokenizer import pad

from router.answer import Answer, read_answer
from router.registry import Branch, Registry, RegistryFile
from router.row import Row
from router.sequences import Plan, SequencePlanner

TaskAnswers = dict[int, Answer]  # row number -> answer


class Router:
    """Carries the trunk's hidden states to the branches, with Triton's business logic scripting (BLS)."""

    def __init__(self, repository: Path) -> None:
        self._registry = RegistryFile(repository / "registry.json")
        self._planner = SequencePlanner(repository / "tokenizer" / "1" / "tokenizer.json")

    def registry(self) -> Registry:
        """The present registry; one batch uses one state of it from beginning to end."""
        return self._registry.read()

    async def answer(self, rows: Sequence[Row], registry: Registry) -> AsyncIterator[tuple[str, TaskAnswers]]:
        """Yields (task, its answers) as each branch is done.

        A branch that fails yields an error for its task alone. Raises RuntimeError if the trunk fails.
        """
        plan = self._planner.plan(rows, registry)
        for task, errors in plan.errors.items():
            if task not in plan.places:
                yield task, _errors(errors)
        if not plan.places:
            return
        arrays = pad(plan.encodings, max(len(encoding.ids) for encoding in plan.encodings))
        taps = sorted({registry.tasks[task].tap for task in plan.places})
        hidden = await _run_trunk(arrays, taps)
        running = [
            asyncio.ensure_future(
                _answer_task(registry.tasks[task], rows, places, plan, hidden, arrays["attention_mask"])
            )
            for task, places in plan.places.items()
        ]
        try:
            for done in asyncio.as_completed(running):
                task, answers = await done
                yield task, answers | _errors(plan.errors.get(task, {}))
        finally:  # the caller may leave early
            for unfinished in running:
                unfinished.cancel()


async def _answer_task(
    branch: Branch,
    rows: Sequence[Row],
    places: dict[int, int],
    plan: Plan,
    hidden: dict[int, np.ndarray],
    attention_mask: np.ndarray,
) -> tuple[str, TaskAnswers]:
    indices = sorted(set(places.values()))
    length = max(len(plan.encodings[index].ids) for index in indices)
    inputs = {
        "hidden": np.ascontiguousarray(hidden[branch.tap][indices, :length]),
        "attention_mask": np.ascontiguousarray(attention_mask[indices, :length]),
    }
    try:
        outputs = await _infer(branch.model, branch.version, inputs, ["logits"])
        if not np.isfinite(outputs["logits"]).all():
            raise RuntimeError("its logits are no finite numbers")
        logits = dict(zip(indices, outputs["logits"], strict=True))
        return branch.task, {
            number: read_answer(branch, rows[number], plan.encodings[index], logits[index])
            for number, index in places.items()
        }
    except Exception as error:  # whatever is wrong with one branch must not take the other tasks' answers along
        return branch.task, _errors(dict.fromkeys(places, f"the branch of {branch.task} failed: {error}"))


async def _run_trunk(arrays: dict[str, np.ndarray], taps: Sequence[int]) -> dict[int, np.ndarray]:
    """{tap: hidden states, float32 [S, T, H]}; asking for these taps alone, the trunk stops at the deepest."""
    names = {tap: f"hidden_{tap}" for tap in taps}
    outputs = await _infer("trunk", -1, arrays, list(names.values()))
    return {tap: outputs[name] for tap, name in names.items()}


async def _infer(
    model: str, version: int, inputs: dict[str, np.ndarray], outputs: Sequence[str]
) -> dict[str, np.ndarray]:
    """One BLS call. Raises RuntimeError with Triton's sentence if it fails."""
    request = pb_utils.InferenceRequest(
        model_name=model,
        model_version=version,
        requested_output_names=outputs,
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
    )
    response: Any = await request.async_exec()
    if response.has_error():
        raise RuntimeError(f"{model}: {response.error().message()}")
    return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in outputs}


def _errors(sentences: dict[int, str]) -> TaskAnswers:
    return {number: {"error": sentence} for number, sentence in sentences.items()}
