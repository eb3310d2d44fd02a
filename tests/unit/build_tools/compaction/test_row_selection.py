import onnx
import pytest
from onnx import helper
from tiny_graphs import TAPS, TASKS, make_branch, make_trunk

from build_tools.compaction.row_selection import select_rows


def test_the_layout_tells_the_tap_of_each_task(fused):
    _, layout = select_rows(onnx.load(fused / "model.onnx", load_external_data=False))

    assert (layout.taps, dict(layout.tasks)) == (TAPS, TASKS)
    assert list(layout.columns) == [*(f"logits_{task}" for task in sorted(TASKS)), *(f"hidden_{tap}" for tap in TAPS)]


def test_a_part_never_reads_a_tensor_of_all_rows(fused):
    model = onnx.load(fused / "rows.onnx", load_external_data=False)

    onnx.checker.check_model(str(fused / "rows.onnx"))
    whole = {"input_ids", "attention_mask", "token_type_ids"}
    readers = {node.op_type for node in model.graph.node if whole & set(node.input)}
    assert readers == {"Gather", "Concat"}


def test_a_graph_of_another_form_is_refused():
    with pytest.raises(ValueError, match="not a fused graph: its outputs are logits"):
        select_rows(make_branch(0))

    apart = make_trunk()
    apart.graph.node.append(helper.make_node("Identity", ["word"], ["logits_odd"]))
    apart.graph.output.append(helper.make_empty_tensor_value_info("logits_odd"))
    with pytest.raises(ValueError, match="logits_odd is not computed from one tap"):
        select_rows(apart)


def test_a_trunk_that_reads_token_ids_above_a_tap_is_refused():
    trunk = make_trunk()
    trunk.graph.node.insert(-1, helper.make_node("Gather", ["words", "input_ids"], ["again"]))
    trunk.graph.node[-1].input[0] = "again"

    with pytest.raises(ValueError, match="not a fused graph"):
        select_rows(trunk)
