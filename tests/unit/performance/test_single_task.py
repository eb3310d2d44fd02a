"""Trunk and branch joined to one graph."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from single_task import join


def graph(name: str, inputs: dict[str, int], output: str, nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(key, kind, ["b", "t"]) for key, kind in inputs.items()]
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [1], [3.0 if name == "trunk" else 5.0])
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["b", "t"])
    made = helper.make_graph(nodes, name, values, [result], [weight])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_the_joined_graph_computes_what_branch_after_trunk_does() -> None:
    """Both have a tensor `weight` and a tensor `cast` of their own, as exported graphs do."""
    integers = TensorProto.INT64
    trunk = graph(
        "trunk",
        {"input_ids": integers, "attention_mask": integers},
        "hidden_3",
        [
            helper.make_node("Cast", ["input_ids"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["cast", "weight"], ["hidden_3"]),
        ],
    )
    branch = graph(
        "branch",
        {"hidden": TensorProto.FLOAT, "attention_mask": integers},
        "logits",
        [
            helper.make_node("Cast", ["attention_mask"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["hidden", "cast"], ["masked"]),
            helper.make_node("Add", ["masked", "weight"], ["logits"]),
        ],
    )

    joined = join(trunk, branch, "hidden_3")

    onnx.checker.check_model(joined)
    session = onnxruntime.InferenceSession(joined.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {"input_ids": np.array([[1, 2]]), "attention_mask": np.array([[1, 0]])}
    np.testing.assert_allclose(session.run(["logits"], inputs)[0], [[8.0, 5.0]])
