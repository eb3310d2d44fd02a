"""A router's batch of texts over stand-ins for trunks, branches and fused graphs."""

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from router.registry import Registry, Task, Version
from router.row import Row

HERE = SimpleNamespace(is_gone=False, id="7")
GONE = SimpleNamespace(is_gone=True, id="8")
PATIENCE = 10.0  # seconds that no test ever waits, unless something hangs
TRUNKS = ["trunk", "trunk.2"]

REGISTRY = Registry(
    {
        version.task: Task(version)
        for version in (
            Version("shallow", 3, "classification", ("a", "b"), 2, 64, "branch_shallow", "trunk"),
            Version("middle", 1, "classification", ("a", "b"), 4, 64, "branch_middle", "trunk"),
            Version("deep", 1, "classification", ("a", "b"), 6, 64, "branch_deep", "trunk"),
            Version("same", 1, "pair_classification", ("0", "1"), 2, 64, "branch_same", "trunk"),
        )
    }
)


class Models:
    """Stands in for trunk and branches: notes each call, and holds it up or fails as the test says.

    fused: {model: the fused graph that it is}. The hidden states are the token ids, on trunk.2 one more, and a branch's
    logits the first letter's, so that answers tell of texts and trunks.
    """

    def __init__(self):
        self.calls = []
        self.held = {}  # model or output: the event that a call of it waits for
        self.failing = set()
        self.errors = {}  # model or output: what it raises
        self.fused = {}
        self._called = threading.Condition()

    def wait_for(self, model):
        """Returns when a call of the model is under way."""
        with self._called:
            assert self._called.wait_for(lambda: any(call.model == model for call in self.calls), PATIENCE)

    def infer(self, model, version, inputs, outputs):
        with self._called:
            self.calls.append(SimpleNamespace(model=model, version=version, inputs=inputs, outputs=list(outputs)))
            self._called.notify_all()
        for name in (model, *outputs):
            if name in self.held:
                assert self.held[name].wait(PATIENCE)
            if name in self.failing:
                raise RuntimeError(f"{name} is broken")
            if name in self.errors:
                raise self.errors[name]
        if model in TRUNKS:
            hidden = _hidden(inputs) + TRUNKS.index(model)
            return dict.fromkeys(outputs, hidden)
        if model in self.fused:
            return self._infer_fused(self.fused[model], inputs, outputs)
        return {"logits": self._logits(model, inputs["hidden"])}

    def _infer_fused(self, fused, inputs, outputs):
        """Computes what is asked of each sequence, and refuses what a fused graph cannot compute."""
        hidden = _hidden(inputs)
        asked = inputs.get("asked")
        columns = [*sorted(fused.tasks), *sorted(fused.taps)]
        names = [f"hidden_{column}" if column in fused.taps else f"logits_{column}" for column in columns]
        if asked is None:
            assert "input_ids" in inputs
            asked = np.tile([name in outputs for name in names], (len(hidden), 1))
        else:
            assert asked.shape == (len(hidden), len(columns))
            assert asked.any(axis=1).all(), "a sequence is computed for nothing"
            assert set(np.array(names)[asked.any(axis=0)]) == set(outputs)
        for start in [tap for tap in fused.taps if f"hidden_{tap}" in inputs]:
            assert sorted(inputs) == ["asked", "attention_mask", f"hidden_{start}"]
            assert not asked[:, [names.index(f"hidden_{tap}") for tap in fused.taps if tap <= start]].any()
        found = {}
        for name, rows in zip(names, asked.T, strict=True):
            if name in outputs:
                found[name] = hidden[rows] if name.startswith("hidden") else self._logits(name, hidden[rows])
        return found

    def _logits(self, name, hidden):
        logits = hidden[:, 1, :].copy()
        logits[:, 1] = 0
        return np.full_like(logits, np.nan) if f"{name} nan" in self.failing else logits

    def outputs(self):
        return [output for call in self.calls if call.model in TRUNKS for output in call.outputs]

    def branches(self):
        return sorted(call.model for call in self.calls if call.model.startswith("branch"))


def _hidden(inputs):
    (below,) = [array for name, array in inputs.items() if name.startswith("hidden")] or [None]
    if below is not None:
        return below
    return np.repeat(inputs["input_ids"].astype(np.float32)[:, :, None], 2, axis=2)


def asking(text, *tasks, pair=None, caller=HERE):
    return Row(text, pair, tasks, False, caller)


def collected(run):
    """{task: {row: answer}}. Checks that each row's answer comes once."""
    found = {}
    for task, by_row in run.answers():
        known = found.setdefault(task, {})
        assert not known.keys() & by_row.keys()
        known |= {row: json.loads(answer) for row, answer in by_row.items()}
    return found


def score(letter):
    """The probability that Models gives a text that begins with this letter."""
    logit = 4 + "abcdefghijklmnopqrstuvwxyz".index(letter)  # its id in conftest's vocabulary
    return pytest.approx(1 / (1 + np.exp(-float(logit))), abs=1e-5)
