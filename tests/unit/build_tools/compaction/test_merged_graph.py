from pathlib import Path

import onnx
import pytest
from tiny_graphs import TASKS, make_branch

from build_tools.compaction.merged_graph import MergedBranch, merge
from build_tools.errors import BuildError


def _count(model, operator):
    return sum(node.op_type == operator for node in model.graph.node)


def test_what_trunk_and_branches_have_in_common_is_there_once(fused):
    model = onnx.load(fused / "model.onnx")

    onnx.checker.check_model(str(fused / "model.onnx"))
    assert _count(model, "Cast") == 1  # of the mask
    assert sum(weight.name.endswith("far") for weight in model.graph.initializer) == 1
    assert _count(model, "Tanh") == 3 + len(TASKS)


def test_weights_lie_beside_the_graph_and_the_rewritten_graph_reads_the_same(fused):
    assert {file.name for file in fused.iterdir()} == {"model.onnx", "model.onnx.data", "rows.onnx"}
    plain, rows = (onnx.load(fused / name, load_external_data=False) for name in ("model.onnx", "rows.onnx"))
    assert [one.SerializeToString() for one in plain.graph.initializer] == [
        one.SerializeToString() for one in rows.graph.initializer
    ]
    apart = [one for one in plain.graph.initializer if one.data_location == onnx.TensorProto.EXTERNAL]
    assert {one.name for one in apart} >= {"words", "layer_1_weight", "d/own_weight"}


def test_two_tasks_with_the_same_branch_share_it_and_both_get_their_output(tmp_path, trunk_file, branches):
    twins = {"one": branches["d"], "two": branches["d"]}

    merge(trunk_file, twins, tmp_path / "model.onnx")

    model = onnx.load(tmp_path / "model.onnx")
    assert [value.name for value in model.graph.output][-2:] == ["logits_one", "logits_two"]
    assert _count(model, "Tanh") == 3 + 1


def test_the_same_graphs_give_the_same_files(tmp_path, trunk_file, branches):
    for name, given in (("first", branches), ("again", dict(reversed(branches.items())))):
        merge(trunk_file, given, tmp_path / name)

    first, again = (tmp_path / name for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes().replace(b"again.data", b"first.data")
    assert Path(f"{first}.data").read_bytes() == Path(f"{again}.data").read_bytes()


def test_a_tap_that_the_trunk_does_not_have_is_named(tmp_path, trunk_file, branches):
    with pytest.raises(BuildError, match=r"d reads tap 7, which .* does not have"):
        merge(trunk_file, {"d": MergedBranch(branches["d"].file, 7)}, tmp_path / "model.onnx")


def test_a_branch_of_another_set_of_operators_is_named(tmp_path, trunk_file):
    other = make_branch(0)
    other.opset_import[0].version = 17
    onnx.save(other, tmp_path / "other.onnx")

    with pytest.raises(BuildError, match="the branch of d was exported with another set of operators"):
        merge(trunk_file, {"d": MergedBranch(tmp_path / "other.onnx", 2)}, tmp_path / "model.onnx")
