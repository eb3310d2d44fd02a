"""A tiny model of a trunk's shape: each output is computed from the one before, a mask is read throughout."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

WIDTH = 8
DEPTH = 3


@pytest.fixture
def trunk() -> onnx.ModelProto:
    """ids [batch] -> hidden_1, hidden_2, hidden_3, each [batch, 8]; every layer reads `attention_mask` [batch, 1]."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.standard_normal((10, WIDTH), np.float32), "embeddings")]
    nodes = [
        helper.make_node("Gather", ["embeddings", "ids"], ["hidden_0"]),
        helper.make_node("Cast", ["attention_mask"], ["scale"], to=TensorProto.FLOAT),
    ]
    for layer in range(1, DEPTH + 1):
        weights.append(numpy_helper.from_array(rng.standard_normal((WIDTH, WIDTH), np.float32), f"w{layer}"))
        nodes += [
            helper.make_node("MatMul", [f"hidden_{layer - 1}", f"w{layer}"], [f"product_{layer}"]),
            helper.make_node("Mul", [f"product_{layer}", "scale"], [f"masked_{layer}"]),
            helper.make_node("Tanh", [f"masked_{layer}"], [f"hidden_{layer}"]),
        ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", 1]),
    ]
    outputs = [
        helper.make_tensor_value_info(f"hidden_{layer}", TensorProto.FLOAT, ["batch", WIDTH])
        for layer in range(1, DEPTH + 1)
    ]
    graph = helper.make_graph(nodes, "trunk", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def trunk_file(trunk: onnx.ModelProto, tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    onnx.save(trunk, file)
    return file


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    return {"ids": np.array([1, 5, 7, 2]), "attention_mask": np.array([[1], [1], [0], [1]])}
