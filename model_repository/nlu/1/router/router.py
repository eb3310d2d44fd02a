"""Rows -> answers, through one pass of the trunk and one of each branch that was asked for."""

import asyncio
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from text_tokenizer import pad

from router.answer import answer
from router.registry import RegistryFile
from router.sequences import SequencePlanner


class Router:
    """Carries the trunk's hidden states to the branches, with Triton's business logic scripting (BLS)."""

    def __init__(self, repository: Path):
        self._registry = RegistryFile(repository / "registry.json")
        self._planner = SequencePlanner(repository / "tokenizer" / "1" / "tokenizer.json")

    def registry(self):
        """The present registry; one batch uses one state of it from beginning to end."""
        return self._registry.read()

    async def answer(self, rows, registry):
        """Yields (task, {row number: answer}) as each branch is done.

        A branch that fails yields an error for its task alone. Raises RuntimeError if the trunk fails.
        """
        plan = self._planner.plan(rows, registry)
        for task, errors in plan.errors.items():
            if task not in plan.places:
                yield task, _error_answers(errors)
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
        for done in asyncio.as_completed(running):
            task, answers = await done
            yield task, answers | _error_answers(plan.errors.get(task, {}))


async def _answer_task(branch, rows, places, plan, hidden, attention_mask):
    """One task's answers, {row number: answer}."""
    indices = sorted(set(places.values()))
    length = max(len(plan.encodings[index].ids) for index in indices)
    inputs = {
        "hidden": np.ascontiguousarray(hidden[branch.tap][indices, :length]),
        "attention_mask": np.ascontiguousarray(attention_mask[indices, :length]),
    }
    try:
        outputs = await _infer(branch.model, branch.version, inputs, ["logits"])
        logits = dict(zip(indices, outputs["logits"], strict=True))
        return branch.task, {
            number: answer(branch, rows[number], plan.encodings[index], logits[index])
            for number, index in places.items()
        }
    except Exception as error:  # whatever is wrong with one branch must not take the other tasks' answers along
        return branch.task, _error_answers(dict.fromkeys(places, f"the branch of {branch.task} failed: {error}"))


async def _run_trunk(arrays, taps):
    """{tap: hidden states, float32 [S, T, H]}; asking for these taps alone, the trunk stops at the deepest."""
    names = {tap: f"hidden_{tap}" for tap in taps}
    outputs = await _infer("trunk", -1, arrays, list(names.values()))
    return {tap: outputs[name] for tap, name in names.items()}


async def _infer(model, version, inputs, outputs):
    """One BLS call. Raises RuntimeError with Triton's sentence if it fails."""
    request = pb_utils.InferenceRequest(
        model_name=model,
        model_version=version,
        requested_output_names=outputs,
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
    )
    response = await request.async_exec()
    if response.has_error():
        raise RuntimeError(f"{model}: {response.error().message()}")
    return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in outputs}


def _error_answers(errors):
    return {number: {"error": sentence} for number, sentence in errors.items()}
