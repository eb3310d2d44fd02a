"""The fused graph gives what trunk and branches give apart: any rows, any outputs, from the start or from a tap."""

from itertools import chain, combinations

import numpy as np
import pytest
from tiny_graphs import TAPS, TASKS, WIDTH, texts

from build_tools.backends.espalier_backend.fused_graph import FusedGraph
from build_tools.backends.espalier_backend.fused_layout import FusedLayout
from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.backends.espalier_backend.request_check import RefusedRequestError

LAYOUT = FusedLayout(TAPS, TASKS)
OUTPUTS = list(LAYOUT.columns)
HIDDEN = [f"hidden_{tap}" for tap in TAPS]


@pytest.fixture(scope="session", params=[OpenVINOSegment, OnnxRuntimeSegment])
def runtime(request):
    return request.param


@pytest.fixture(scope="session")
def graph(runtime, fused):
    return FusedGraph(runtime(fused / "rows.onnx", OUTPUTS, {}), LAYOUT, WIDTH)


@pytest.fixture(scope="session")
def apart(runtime, trunk_file, branches):
    """Computes all outputs of all rows with the graphs apart."""
    trunk = runtime(trunk_file, HIDDEN, {})
    loaded = {task: runtime(branch.file, ["logits"], {}) for task, branch in branches.items()}

    def compute(inputs):
        found = {name: array.copy() for name, array in trunk(inputs).items()}
        for task, branch in loaded.items():
            states = {"hidden": found[f"hidden_{TASKS[task]}"], "attention_mask": inputs["attention_mask"]}
            found[f"logits_{task}"] = branch(states)["logits"].copy()
        return found

    return compute


def _check(computed, expected, asked, mask):
    """Compares the asked rows; values at padding are arbitrary."""
    for name, column in zip(OUTPUTS, asked.T, strict=True):
        rows = np.flatnonzero(column)
        if not len(rows):
            assert name not in computed
            continue
        seen = mask[rows] > 0 if expected[name].ndim == 3 else slice(None)
        np.testing.assert_allclose(computed[name][seen], expected[name][rows][seen], atol=1e-5, err_msg=name)


def _wanted(asked):
    return [name for name, column in zip(OUTPUTS, asked.T, strict=True) if column.any()]


def test_any_subset_of_outputs_is_that_of_the_graphs_apart(graph, apart):
    inputs = texts(3, 7)
    expected = apart(inputs)

    for wanted in chain.from_iterable(combinations(OUTPUTS, size) for size in (1, 2, 3, len(OUTPUTS))):
        asked = np.tile([name in wanted for name in OUTPUTS], (3, 1))
        _check(graph.run(inputs, wanted), expected, asked, inputs["attention_mask"])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_rows_that_ask_for_different_outputs_each_get_their_own(graph, apart, share):
    rng = np.random.default_rng(int(share * 10))
    for _ in range(6):
        inputs = texts(int(rng.integers(1, 9)), int(rng.integers(1, 17)), seed=int(rng.integers(1000)))
        asked = rng.random((len(inputs["input_ids"]), len(OUTPUTS))) < share

        computed = graph.run(inputs | {"asked": asked}, _wanted(asked))

        _check(computed, apart(inputs), asked, inputs["attention_mask"])


@pytest.mark.parametrize("tap", TAPS[:-1])
def test_from_the_hidden_states_of_a_tap_it_goes_on_without_token_ids(graph, apart, tap):
    rng = np.random.default_rng(tap)
    above = [LAYOUT.columns[name] > tap for name in OUTPUTS]
    for _ in range(6):
        inputs = texts(int(rng.integers(1, 9)), int(rng.integers(1, 17)), seed=int(rng.integers(1000)))
        expected, mask = apart(inputs), inputs["attention_mask"]
        asked = (rng.random((len(mask), len(OUTPUTS))) < 0.5) & above

        given = {"attention_mask": mask, f"hidden_{tap}": expected[f"hidden_{tap}"], "asked": asked}

        _check(graph.run(given, _wanted(asked)), expected, asked, mask)


def test_the_plain_graph_gives_all_outputs_of_all_rows(runtime, fused, apart):
    inputs = texts(4, 9)
    expected, asked = apart(inputs), np.ones((4, len(OUTPUTS)), bool)

    _check(runtime(fused / "model.onnx", OUTPUTS, {})(inputs), expected, asked, inputs["attention_mask"])


def _asked(rows, *outputs):
    return np.tile([name in outputs for name in OUTPUTS], (rows, 1))


@pytest.mark.parametrize(
    ("changed", "outputs", "said"),
    [
        ({"asked": _asked(2, "logits_d")}, ["logits_d", "hidden_1"], "no row asks for hidden_1"),
        ({"asked": _asked(2, "logits_d", "hidden_1")}, ["logits_d"], "hidden_1, which is not among the outputs"),
        ({"token_type_ids": None}, ["logits_d"], "give attention_mask with input_ids and token_type_ids"),
        ({"input_ids": None, "token_type_ids": None}, ["logits_d"], "or with the hidden states of one tap"),
        ({"hidden_1": np.zeros((2, 4, WIDTH), np.float32)}, ["logits_d"], "the hidden states of one tap"),
        (
            {"input_ids": None, "token_type_ids": None, "hidden_2": np.zeros((2, 4, WIDTH), np.float32)},
            ["logits_d"],
            "logits_d lies at tap 2, not above hidden_2",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(graph, changed, outputs, said):
    inputs = {name: array for name, array in (texts(2, 4) | changed).items() if array is not None}

    with pytest.raises(RefusedRequestError, match=said):
        graph.check(inputs, outputs)
