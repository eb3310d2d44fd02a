import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tiny_graphs import TAGGING, TAPS, TASKS, make_branch, make_trunk, texts

from build_tools.backends.espalier_backend.segments import cut_at_outputs
from build_tools.compaction.fused_files import write_fused
from build_tools.compaction.merged_graph import MergedBranch
from build_tools.precision.half import halve
from build_tools.precision.load_graph import load_fused, load_graph
from build_tools.repository.names import hidden_name, logits_name
from build_tools.repository.runtime import Runtime

HIDDEN = [hidden_name(tap) for tap in TAPS]
ROUNDING = 0.01  # of a tensor's greatest value


def _halved(model, folder):
    """(the file in float32, the file in fp16)"""
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    halve(folder / "model.onnx", folder / "fp16.onnx")
    return folder / "model.onnx", folder / "fp16.onnx"


def _near(computed, expected, seen=slice(None)):
    return np.abs(computed - expected)[seen].max() <= ROUNDING * np.abs(expected[seen]).max()


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    return _halved(make_trunk(), tmp_path_factory.mktemp("half") / "trunk")


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    """{task: (its file in float32, in fp16)}"""
    folder = tmp_path_factory.mktemp("half")
    return {
        task: _halved(make_branch(number, per_token=task == TAGGING), folder / task)
        for number, task in enumerate(TASKS)
    }


def test_weights_are_in_fp16_and_what_goes_in_and_out_is_not(trunk, branches):
    for before, after in (trunk, *branches.values()):
        whole, half = onnx.load(before).graph, onnx.load(after).graph
        onnx.checker.check_model(str(after))

        assert list(half.input) == list(whole.input)
        assert list(half.output) == list(whole.output)
        assert TensorProto.FLOAT not in {weight.data_type for weight in half.initializer}


def test_an_fp16_trunk_is_cut_at_its_taps_so_that_nothing_is_computed_twice(trunk):
    before, after = (cut_at_outputs(onnx.load(file), HIDDEN) for file in trunk)

    assert len(after) == len(TAPS)
    for whole, half in zip(before, after, strict=True):
        assert [one.name for one in half.graph.input] == [one.name for one in whole.graph.input]


def test_hidden_states_differ_by_rounding_alone(trunk):
    tokens = texts(3, 7)
    seen = tokens["attention_mask"] > 0

    whole, half = (load_graph(file, HIDDEN, Runtime.ONNXRUNTIME).run(tokens, HIDDEN) for file in trunk)

    for name in HIDDEN:
        assert half[name].dtype == np.float32
        assert _near(half[name], whole[name], seen)
        assert not np.array_equal(half[name][seen], whole[name][seen])  # it is in fp16


def test_a_fused_graph_of_fp16_parts_selects_rows_as_one_in_float32_does(trunk, branches, tmp_path):
    answers = []
    for place in (0, 1):
        folder = tmp_path / str(place)
        folder.mkdir()
        parts = {task: MergedBranch(branches[task][place], tap) for task, tap in TASKS.items()}
        layout = write_fused(trunk[place], parts, folder)
        width = onnx.load(trunk[place]).graph.output[0].type.tensor_type.shape.dim[2].dim_value
        graph = load_fused(folder, layout, Runtime.ONNXRUNTIME, {}, width)
        answers.append(graph.run(texts(4, 6), [logits_name(task) for task in TASKS]))

    whole, half = answers
    for task in TASKS:
        name = logits_name(task)
        seen = texts(4, 6)["attention_mask"] > 0 if task == TAGGING else slice(None)
        assert _near(half[name], whole[name], seen)
