import os

import numpy as np
import onnx_ir
import pytest

from build_tools.export import trace_cache
from build_tools.export.trace_cache import cached_file, traced

STRUCTURE = ("openvino", 2, False)
INPUTS = ["hidden"]


@pytest.fixture
def folder(graph_cache):
    """The user's cache folder."""
    return graph_cache.folder


@pytest.fixture
def export(graph_cache):
    """() -> the graph, as a process that has just begun gets it, and whether it was traced."""

    def begin(structure=STRUCTURE):
        graph_cache.new_process()
        traces = []
        graph = traced(structure, INPUTS, lambda: traces.append(1) or _trace())
        return graph, bool(traces)

    return begin


def _trace():
    """hidden * weight + constant, with no value for the weight."""

    def value(name):
        return onnx_ir.Value(name=name, type=onnx_ir.TensorType(onnx_ir.DataType.FLOAT), shape=onnx_ir.Shape([2]))

    hidden, weight, constant = value("hidden"), value("weight"), value("constant")
    constant.const_value = onnx_ir.tensor(np.array([3, 4], dtype=np.float32), name="constant")
    product = onnx_ir.node("Mul", [hidden, weight])
    result = onnx_ir.node("Add", [product.outputs[0], constant])
    result.outputs[0].name = "logits"
    graph = onnx_ir.Graph(
        [hidden], result.outputs, nodes=[product, result], initializers=[weight, constant], opset_imports={"": 18}
    )
    return onnx_ir.Model(graph, ir_version=10)


def _shape(model):
    """All of a graph but the values."""
    graph = model.graph
    return (
        [one.name for one in graph.inputs],
        [one.name for one in graph.outputs],
        [(name, one.const_value is None) for name, one in graph.initializers.items()],
        [(node.op_type, [one.name for one in node.inputs]) for node in graph],
    )


def test_another_process_has_the_same_graph_without_tracing(export):
    graphs, were_traced = zip(*(export() for _ in range(3)), strict=True)

    assert were_traced == (True, False, False)
    assert _shape(graphs[0]) == _shape(graphs[1]) == _shape(graphs[2]) == _shape(_trace())
    assert graphs[2].graph.initializers["constant"].const_value.numpy().tolist() == [3, 4]


def test_a_graph_that_was_given_its_weights_leaves_the_next_without_any(export):
    export()[0].graph.initializers["weight"].const_value = onnx_ir.tensor(np.zeros(2, np.float32))

    again = traced(STRUCTURE, INPUTS, pytest.fail)
    assert again.graph.initializers["weight"].const_value is None


@pytest.mark.parametrize("change", ["structure", "library", "code"])
def test_what_another_graph_may_come_of_is_traced(export, change, monkeypatch, tmp_path):
    export()
    if change == "library":
        monkeypatch.setattr(trace_cache, "version", lambda name: f"{name} of tomorrow")
    elif change == "code":
        (tmp_path / "training").mkdir()
        (tmp_path / "training" / "model.py").write_text("class Branch: ...")
        (tmp_path / "training" / ".#model.py").symlink_to("nobody@nowhere.1")  # an editor's lock
        monkeypatch.setattr(trace_cache, "_ROOT", tmp_path)
    monkeypatch.setattr(trace_cache, "_CODE", trace_cache._code())
    _, was_traced = export(("openvino", 3, False) if change == "structure" else STRUCTURE)

    assert was_traced


@pytest.mark.parametrize("damage", ["flipped first", "flipped inside", "flipped last", "truncated", "empty"])
def test_a_damaged_one_is_traced_anew_and_replaced(export, damage):
    export()
    kept = cached_file(STRUCTURE)
    sound = kept.read_bytes()
    place = {"flipped first": 0, "flipped inside": 60, "flipped last": len(sound) - 1}.get(damage)
    if place is None:
        kept.write_bytes(b"" if damage == "empty" else sound[:-20])
    else:
        kept.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])

    _, was_traced = export()

    assert was_traced
    assert kept.read_bytes() == sound


def test_where_no_cache_can_be_there_is_a_graph_all_the_same(export, folder):
    folder.write_text("a file where a folder would be")

    for _ in range(2):
        graph, was_traced = export()
        assert was_traced
        assert _shape(graph) == _shape(_trace())


def test_what_was_kept_long_ago_goes_when_another_is_kept(export, folder):
    export()
    old = cached_file(STRUCTURE)
    os.utime(old, (0, 0))
    export(("openvino", 3, False))

    assert [path for path in folder.rglob("*") if path.is_file()] == [cached_file(("openvino", 3, False))]


def test_nothing_but_the_graph_is_left_in_the_cache(export, folder):
    export()

    assert [path for path in folder.rglob("*") if path.is_file()] == [cached_file(STRUCTURE)]
