"""A model repository of two tiny trunks, one for each backend of ours."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_bert import tiny_encoder_in_memory

from build_tools.repository.registry import Registry, TrunkEntry, write_registry
from build_tools.repository.runtime import Runtime
from training.encoder import Encoder

WIDTH = 8

# The form that NVIDIA's C++ backends take: no max_batch_size, the batch in every dims.
CONFIG = """
backend: "{backend}"
default_model_filename: "model.onnx"
max_batch_size: 0
input {{ name: "x" data_type: TYPE_FP32 dims: [ -1, -1 ] }}
output {{ name: "hidden_1" data_type: TYPE_FP32 dims: [ -1, -1 ] }}
output {{ name: "hidden_2" data_type: TYPE_FP32 dims: [ -1, -1 ] }}
instance_group {{ count: 1 kind: KIND_CPU }}
parameters {{ key: "INFERENCE_NUM_THREADS" value {{ string_value: "1" }} }}
parameters {{ key: "PERFORMANCE_HINT" value {{ string_value: "LATENCY" }} }}
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
"""


def _trunk() -> onnx.ModelProto:
    """x [batch, 8] -> hidden_1 [batch, 8] -> hidden_2 [batch, 8]."""
    rng = np.random.default_rng(0)
    shape = ["batch", WIDTH]
    nodes, weights, source = [], [], "x"
    for layer in (1, 2):
        weights.append(numpy_helper.from_array(rng.standard_normal((WIDTH, WIDTH), np.float32), f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [source, f"w{layer}"], [f"product_{layer}"]))
        nodes.append(helper.make_node("Tanh", [f"product_{layer}"], [f"hidden_{layer}"]))
        source = f"hidden_{layer}"
    graph = helper.make_graph(
        nodes,
        "trunk",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"hidden_{layer}", TensorProto.FLOAT, shape) for layer in (1, 2)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _write(folder: Path) -> Path:
    for backend in ("openvino", "onnxruntime"):
        version = folder / f"trunk_{backend}" / "1"
        version.mkdir(parents=True)
        onnx.save(_trunk(), version / "model.onnx")
        (version.parent / "config.pbtxt").write_text(CONFIG.format(backend=backend))
    trunk = TrunkEntry(
        encoder="none", config={}, taps=[1, 2], fingerprints=["f0", "f1", "f2"], tokenizers={"tokenizer": 8}
    )
    write_registry(folder, Registry(runtime=Runtime.OPENVINO, trunks={"trunk": trunk}, tasks={}))
    return folder


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """3 layers of width 16; its tokenizer knows the words "a" to "e"."""
    return tiny_encoder_in_memory()


@pytest.fixture(scope="module")
def served_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the server that a module's tests share: leave it as it is."""
    return _write(tmp_path_factory.mktemp("served"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """For one test, which may change it."""
    return _write(tmp_path / "repository")
