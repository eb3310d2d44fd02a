import numpy as np
import openvino
import pytest
import torch
from openvino import opset13

from build_tools.backends.espalier_backend.gelu import set_gelu_apart
from build_tools.backends.espalier_backend.openvino_segment import _core
from build_tools.export.onnx_export import export_branch
from build_tools.precision.quantization import quantize
from build_tools.repository.runtime import Runtime
from training.model import Branch

WIDTH = 16


@pytest.fixture(scope="module")
def branch_file(encoder, tmp_path_factory):
    file = tmp_path_factory.mktemp("branch") / "model.onnx"
    torch.manual_seed(1)
    export_branch(Branch(encoder.architecture, 2, 2, 3, per_token=True), file, Runtime.OPENVINO)
    return file


def _read(file):
    return _core().read_model(file)


def _compiled(model):
    return _core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _products_with_gelu(compiled):
    """How many products are computed together with GELU."""
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    return sum(
        info["layerType"].astype(str) == "FullyConnected" and "gelu" in info["originalLayersNames"].astype(str)
        for info in nodes
    )


def test_gelu_is_computed_apart_from_the_product_before_it_and_stays_the_same(branch_file):
    apart = _read(branch_file)
    set_gelu_apart(apart)
    together, apart = _compiled(_read(branch_file)), _compiled(apart)

    assert (_products_with_gelu(together), _products_with_gelu(apart)) == (2, 0)
    hidden = 4 * np.random.default_rng(0).standard_normal((2, 5, WIDTH), np.float32)
    given = {"hidden": hidden, "attention_mask": np.ones((2, 5), np.int64)}
    np.testing.assert_allclose(apart(given)[0], together(given)[0], atol=1e-5)


def test_a_product_with_int8_weights_keeps_its_gelu(branch_file, tmp_path):
    quantize(branch_file, tmp_path / "int8.onnx", Runtime.OPENVINO, WIDTH)
    model = _read(tmp_path / "int8.onnx")
    before = [node.get_type_name() for node in model.get_ordered_ops()]

    set_gelu_apart(model)

    assert [node.get_type_name() for node in model.get_ordered_ops()] == before


def _halved_later(x, erf):
    """GELU, but not as the exporter writes it."""
    return opset13.multiply(opset13.multiply(x, opset13.add(erf, opset13.constant(np.float32(1)))), np.float32(0.5))


@pytest.mark.parametrize("end", [lambda _, erf: erf, _halved_later], ids=["no GELU", "another form"])
def test_what_is_written_otherwise_is_computed_as_it_is_written(end):
    x = opset13.parameter([-1, 4], np.float32)
    product = opset13.matmul(x, opset13.constant(np.eye(4, dtype=np.float32)), transpose_a=False, transpose_b=False)
    erf = opset13.erf(opset13.multiply(product, opset13.constant(np.float32(0.5**0.5))))
    model = openvino.Model([end(product, erf)], [x])
    given = np.ones((1, 4), np.float32)
    before = _compiled(model)(given)[0]

    set_gelu_apart(model)

    np.testing.assert_array_equal(_compiled(model)(given)[0], before)
