import numpy as np
import pytest
import torch

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.precision import graph_times, hardware
from build_tools.precision.choose_for_build import choose_precisions
from build_tools.precision.graph import ExportedBranch, Graphs
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from training.checkpoint import Checkpoint
from training.model import Branch

FP32, BF16, INT8 = Precision.FP32, Precision.BF16, Precision.INT8
ORDER = [FP32, BF16, INT8]
TEXTS = ("a b", "c d")
GOLDEN = [[1.0, 2.0], [2.0, 1.5]]


class Trunk:
    """Its hidden states tell its precision."""

    outputs = ("hidden_2",)

    def __init__(self, precision):
        self._code = ORDER.index(precision)

    def __call__(self, tensors):
        return {"hidden_2": np.full((*tensors["input_ids"].shape, 1), self._code, np.float32)}


class BranchGraph:
    """Repeats the golden logits, but gives other labels on the trunks in `wrong_on`.

    On the trunks in `wrong_on_dev` it gives other labels if there are more texts than golden examples.
    """

    outputs = ("logits",)

    def __init__(self, wrong_on, wrong_on_dev):
        self._wrong_on, self._wrong_on_dev = wrong_on, wrong_on_dev

    def __call__(self, tensors):
        hidden = tensors["hidden"]
        logits = np.resize(np.array(GOLDEN, np.float32), (len(hidden), 2))
        wrong_on = self._wrong_on if len(hidden) <= len(GOLDEN) else self._wrong_on_dev
        return {"logits": logits[:, ::-1] if ORDER[int(hidden[0, 0, 0])] in wrong_on else logits}


def _branch(of, *wrong):
    return BranchGraph(*({on for on, own in pairs if own is of} for pairs in wrong))


class Graph:
    """Stands for an exported graph."""

    def __init__(self, make, task=None):
        self.runtime, self._make, self.task = Runtime.OPENVINO, make, task

    def load(self, precision):
        chain = Chain([self._make(precision)])
        chain.timed_as = (self.task, precision)
        return chain


@pytest.fixture(autouse=True)
def _processor(monkeypatch):
    monkeypatch.setattr(hardware, "_has_bf16", lambda: True)
    monkeypatch.setattr(hardware, "_has_int8", lambda: True)


@pytest.fixture
def suite(encoder, make_record):
    """(task=pairs of (trunk, branch) that answer wrongly, ..., on_dev=pairs that do so on dev) -> Graphs"""

    def suite(on_dev=(), **wrong):
        torch.manual_seed(0)
        branches = []
        for task, pairs in wrong.items():
            golden = [{"text": text, "logits": row} for text, row in zip(TEXTS, GOLDEN, strict=True)]
            branch = Branch(encoder.architecture, 2, 1, 2, per_token=False)
            record = make_record(task=task)
            checkpoint = Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=golden)
            graph = Graph(lambda of, pairs=pairs: _branch(of, pairs, on_dev), task)
            branches.append(ExportedBranch(checkpoint, GoldenBatch(checkpoint), graph))
        return Graphs(Graph(Trunk), [2], branches)

    return suite


@pytest.fixture
def times(monkeypatch):
    """(trunk=ms by precision, task=ms by precision): what timing finds."""

    def times(**ms):
        def median_ms(runs):
            # Each run is a partial of a method of a chain, or on one.
            chains = {name: getattr(run.func, "__self__", None) for name, run in runs.items()}
            chains = {name: one if isinstance(one, Chain) else runs[name].args[0] for name, one in chains.items()}
            return {name: ms[chain.timed_as[0] or "trunk"][ORDER.index(name)] for name, chain in chains.items()}

        monkeypatch.setattr(graph_times, "median_ms", median_ms)

    return times


def test_auto_takes_the_fastest_of_everything_where_all_pass(suite, times):
    times(trunk=(3, 2, 1), mood=(3, 1, 2), topic=(9, 8, 7))

    chosen = choose_precisions(Precision.AUTO, suite(mood=[], topic=[]), {}, lambda _: None)

    assert (chosen.trunk, chosen.branches) == (INT8, {"mood": BF16, "topic": INT8})


def test_a_task_that_a_precision_fails_has_another_branch_and_costs_the_others_nothing(suite, times):
    times(trunk=(5, 3, 1), mood=(3, 2, 1), topic=(3, 2, 1))
    said = []

    chosen = choose_precisions(Precision.AUTO, suite(mood=[(INT8, INT8)], topic=[]), {}, said.append)

    assert (chosen.trunk, chosen.branches) == (INT8, {"mood": BF16, "topic": INT8})
    assert (
        "mood: bf16 (fp32 3.00 ms, bf16 2.00 ms, int8 1.00 ms); not int8: golden example 1 ('a b'): 'a' in place of "
        "'b', which led by 1"
    ) in said
    assert said[-1] == "precision: all of it takes 4.0 ms for 8 texts, in fp32 11.0 ms"


def test_a_trunk_on_which_a_task_passes_with_no_branch_is_not_taken(suite, times):
    times(trunk=(3, 2, 1), mood=(3, 2, 1), topic=(3, 2, 1))

    said = []

    chosen = choose_precisions(
        Precision.AUTO, suite(mood=[(INT8, FP32), (INT8, BF16), (INT8, INT8)], topic=[]), {}, said.append
    )

    assert (chosen.trunk, chosen.branches) == (BF16, {"mood": INT8, "topic": INT8})
    assert said[0] == (
        "trunk: bf16 (fp32 3.00 ms, bf16 2.00 ms, int8 1.00 ms); not int8: no branch passes on it for mood"
    )


def test_a_faster_trunk_whose_branches_must_be_slower_is_not_taken(suite, times):
    times(trunk=(3, 2, 1), mood=(9, 8, 1))
    slow_on_int8 = [(INT8, INT8), (INT8, BF16)]

    chosen = choose_precisions(Precision.AUTO, suite(mood=slow_on_int8), {}, lambda _: None)

    assert (chosen.trunk, chosen.branches) == (BF16, {"mood": INT8})


def test_auto_stays_in_fp32_where_nothing_else_passes_or_is_faster(suite, times):
    everything = [(on, of) for on in ORDER for of in ORDER if (on, of) != (FP32, FP32)]
    times(trunk=(3, 2, 1), mood=(3, 2, 1))
    assert choose_precisions(Precision.AUTO, suite(mood=everything), {}, lambda _: None).trunk is FP32

    times(trunk=(1.05, 1.04, 1.0), mood=(1.05, 1.0, 1.04))  # not worth it
    chosen = choose_precisions(Precision.AUTO, suite(mood=[]), {}, lambda _: None)
    assert (chosen.trunk, chosen.branches) == (FP32, {"mood": FP32})


def test_a_precision_that_is_asked_for_is_given_to_all_or_refused_with_the_first_task_that_fails(suite):
    said = []
    chosen = choose_precisions(BF16, suite(mood=[(BF16, INT8)], topic=[(FP32, BF16)]), {}, said.append)
    assert (chosen.trunk, chosen.branches) == (BF16, {"mood": BF16, "topic": BF16})
    assert said == ["mood: same answers in bf16", "topic: same answers in bf16"]

    with pytest.raises(BuildError) as caught:
        choose_precisions(BF16, suite(mood=[], topic=[(BF16, BF16)]), {}, lambda _: None)
    assert str(caught.value) == (
        "topic does not pass in bf16: golden example 1 ('a b'): 'a' in place of 'b', which led by 1. Use --precision "
        "auto, which gives each branch the fastest precision that passes, or fp32. Nothing was put in place."
    )


def test_fp32_without_data_runs_nothing_because_it_is_proved_already(suite, monkeypatch):
    monkeypatch.setattr(Graph, "load", None)

    chosen = choose_precisions(FP32, suite(mood=[(FP32, FP32)]), {}, lambda _: None)

    assert (chosen.trunk, chosen.branches) == (FP32, {"mood": FP32})


@pytest.fixture
def dev(tmp_path, write_dev):
    """(rows of label) -> the data folders of the task mood"""

    def dev(labels):
        return {"mood": write_dev(tmp_path / "mood", [{"text": "a b", "label": label} for label in labels])}

    return dev


@pytest.mark.parametrize(("right", "change"), [(3, "25.00, and 75.00 in fp32"), (1, "75.00, and 25.00 in fp32")])
def test_a_dev_metric_that_moves_refuses_the_precision_though_the_golden_answers_are_the_same(
    suite, dev, right, change
):
    folders = dev(["b", "a", "b", "a"][:right] + ["a", "b", "a", "b"][right:])

    with pytest.raises(
        BuildError, match=rf"mood does not pass in bf16: its dev accuracy is {change}; .* at most 0\.2 is allowed\."
    ):
        choose_precisions(BF16, suite(mood=[], on_dev=[(BF16, BF16)]), folders, lambda _: None)


def test_a_dev_metric_that_stays_is_told_beside_that_of_fp32(suite, dev):
    said = []

    choose_precisions(BF16, suite(mood=[], topic=[], on_dev=[(FP32, BF16)]), dev(["b", "a", "b", "b"]), said.append)

    assert said == [
        "mood: same answers in bf16, dev accuracy 75.00 (fp32 75.00)",
        "topic: same answers in bf16",
    ]


def test_auto_heeds_the_dev_metric_too(suite, dev, times):
    times(trunk=(5, 3, 1), mood=(3, 2, 1))
    said = []

    chosen = choose_precisions(
        Precision.AUTO, suite(mood=[], on_dev=[(INT8, INT8)]), dev(["b", "a", "b", "b"]), said.append
    )

    assert (chosen.trunk, chosen.branches) == (INT8, {"mood": BF16})
    (line,) = [line for line in said if line.startswith("mood: ")]
    assert ", dev accuracy 75.00 (fp32 75.00); not int8: its dev accuracy is 25.00" in line


def test_the_report_in_fp32_says_the_dev_metric(suite, dev):
    said = []
    choose_precisions(FP32, suite(mood=[]), dev(["b", "a", "b", "b"]), said.append)
    assert said == ["mood: same answers in fp32, dev accuracy 75.00"]
