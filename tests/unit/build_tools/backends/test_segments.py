import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from build_tools.backends.espalier_backend.segments import cut_at_outputs

OUTPUTS = ["hidden_1", "hidden_2", "hidden_3"]


def _names(values) -> list[str]:
    return [value.name for value in values]


def _run(model: onnx.ModelProto, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = _names(model.graph.output)
    feeds = {name: tensors[name] for name in _names(model.graph.input)}
    return dict(zip(names, session.run(names, feeds), strict=True))


def test_segments_one_after_another_give_what_the_whole_model_gives(trunk, tensors):
    whole = _run(trunk, tensors)

    computed = {}
    for segment in cut_at_outputs(trunk, OUTPUTS):
        onnx.checker.check_model(segment)
        computed |= _run(segment, tensors | computed)

    assert computed.keys() == whole.keys()
    for name in OUTPUTS:
        np.testing.assert_allclose(computed[name], whole[name], atol=1e-6)


def test_a_segment_has_no_op_and_no_weight_of_a_deeper_one(trunk):
    segments = cut_at_outputs(trunk, OUTPUTS)

    assert [_names(segment.graph.output) for segment in segments] == [
        ["hidden_1"],
        ["hidden_2"],
        ["hidden_3"],
    ]
    assert [_names(segment.graph.initializer) for segment in segments] == [
        ["embeddings", "w1"],
        ["w2"],
        ["w3"],
    ]
    assert [sum(node.op_type == "MatMul" for node in segment.graph.node) for segment in segments] == [1, 1, 1]


def test_a_segment_reads_the_output_before_it_and_only_the_inputs_that_it_needs(trunk):
    segments = cut_at_outputs(trunk, OUTPUTS)

    reads = [set(_names(segment.graph.input)) for segment in segments]
    assert reads == [{"ids", "attention_mask"}, {"attention_mask", "hidden_1"}, {"attention_mask", "hidden_2"}]


def test_outputs_named_in_any_order_are_cut_in_the_order_of_the_graph(trunk):
    segments = cut_at_outputs(trunk, ["hidden_3", "hidden_1"])

    assert [_names(segment.graph.output) for segment in segments] == [["hidden_1"], ["hidden_3"]]


def test_one_output_is_one_segment_without_what_lies_above_it(trunk):
    (segment,) = cut_at_outputs(trunk, ["hidden_1"])

    assert _names(segment.graph.initializer) == ["embeddings", "w1"]


def test_outputs_that_do_not_depend_on_each_other_stay_in_one_model():
    rows = ["batch", 2]
    graph = helper.make_graph(
        [
            helper.make_node("Tanh", ["x"], ["shared"]),
            helper.make_node("Neg", ["shared"], ["left"]),
            helper.make_node("Abs", ["shared"], ["right"]),
        ],
        "fork",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, rows) for name in ("left", "right")],
    )
    fork = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    assert cut_at_outputs(fork, ["left", "right"]) == [fork]


def test_an_output_that_the_model_does_not_compute_is_named(trunk):
    with pytest.raises(ValueError, match="hidden_9"):
        cut_at_outputs(trunk, ["hidden_1", "hidden_9"])
