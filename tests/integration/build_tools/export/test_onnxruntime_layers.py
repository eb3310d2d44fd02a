import collections

import numpy as np
import onnx
import pytest
import torch

from build_tools.export.onnx_export import export_branch
from build_tools.export.onnxruntime_layers import FUSED
from build_tools.precision.load_graph import load_graph
from build_tools.repository.runtime import Runtime
from training.encoders.layer import Layer
from training.model import Branch


@pytest.fixture
def architecture(encoder):
    return encoder.architecture


def _exported(branch, runtime, file):
    export_branch(branch, file, runtime)
    return collections.Counter(node.op_type for node in onnx.load(file).graph.node)


def test_onnx_runtime_gets_one_operator_for_attention_gelu_and_each_residual_norm(architecture, tmp_path):
    operators = _exported(Branch(architecture, 2, 2, 3, per_token=True), Runtime.ONNXRUNTIME, tmp_path / "model.onnx")

    assert (operators["MultiHeadAttention"], operators["BiasGelu"], operators["SkipLayerNormalization"]) == (2, 2, 4)
    assert not operators.keys() & {"Softmax", "Erf", "LayerNormalization"}


def test_openvino_gets_no_operator_that_only_onnx_runtime_knows(architecture, tmp_path):
    file = tmp_path / "model.onnx"
    operators = _exported(Branch(architecture, 2, 2, 3, per_token=True), Runtime.OPENVINO, file)

    assert operators["Softmax"] == 2
    assert {node.domain for node in onnx.load(file).graph.node} == {""}


def test_an_activation_other_than_gelu_is_exported_as_it_is(architecture, tmp_path):
    other = architecture.model_copy(update={"hidden_act": "relu"})
    torch.manual_seed(0)
    branch = Branch(other, 2, 1, 3, per_token=True).eval()
    operators = _exported(branch, Runtime.ONNXRUNTIME, tmp_path / "model.onnx")
    assert (operators["Relu"], operators["BiasGelu"], operators["MultiHeadAttention"]) == (1, 0, 1)

    given = {"hidden": torch.randn(2, 5, 16), "attention_mask": torch.tensor([[1] * 5, [1, 1, 0, 0, 0]])}
    chain = load_graph(tmp_path / "model.onnx", ["logits"], Runtime.ONNXRUNTIME)
    computed = chain.run({name: tensor.numpy() for name, tensor in given.items()}, ["logits"])["logits"]

    with torch.no_grad():
        expected = branch(**given).numpy()
    np.testing.assert_allclose(computed[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(computed[1, :2], expected[1, :2], atol=1e-5)


def test_exporting_leaves_the_branch_as_it_was(architecture, tmp_path):
    for runtime in Runtime:
        branch = Branch(architecture, 2, 1, 3, per_token=False).train()
        before = {name: tensor.clone() for name, tensor in branch.state_dict().items()}

        export_branch(branch, tmp_path / "model.onnx", runtime)

        assert isinstance(branch.layers[0], Layer)
        assert branch.training
        assert all(torch.equal(tensor, before[name]) for name, tensor in branch.state_dict().items())


def test_a_fused_layer_holds_the_layer_s_weights_and_shares_what_it_can(architecture):
    layer = Layer(architecture, 2)
    own = layer.attention

    attention, after_attention = FUSED.attention(layer), FUSED.after_attention(layer)

    hidden = torch.randn(1, 4, 16)
    projected = attention.projections(hidden).split(16, dim=-1)
    for computed, projection in zip(projected, [own.query, own.key, own.value], strict=True):
        torch.testing.assert_close(computed, projection(hidden))
    assert after_attention.part is layer.after_attention
