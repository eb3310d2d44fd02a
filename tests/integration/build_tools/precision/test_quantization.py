import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from build_tools.errors import BuildError
from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.precision.hardware import available_precisions
from build_tools.precision.load_graph import load_graph
from build_tools.precision.quantization import quantize
from build_tools.repository.names import TRUNK_INPUTS, hidden_name
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from training.model import Branch

TAPS = [1, 3]
HIDDEN = [hidden_name(tap) for tap in TAPS]
WIDTH = 16  # of the encoder


@pytest.fixture(scope="module", params=Runtime)
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def trunk_files(encoder, runtime, tmp_path_factory):
    """(in float32, in int8)"""
    folder = tmp_path_factory.mktemp("trunk")
    export_trunk(encoder, TAPS, folder / "model.onnx", runtime)
    quantize(folder / "model.onnx", folder / "int8.onnx", runtime, WIDTH)
    return folder / "model.onnx", folder / "int8.onnx"


@pytest.fixture(scope="module")
def branch_files(encoder, runtime, tmp_path_factory):
    """(in float32, in int8), per token, of 3 labels"""
    folder = tmp_path_factory.mktemp("branch")
    torch.manual_seed(1)
    export_branch(Branch(encoder.architecture, 2, 1, 3, per_token=True), folder / "model.onnx", runtime)
    quantize(folder / "model.onnx", folder / "int8.onnx", runtime, WIDTH)
    return folder / "model.onnx", folder / "int8.onnx"


@pytest.fixture
def tokens():
    """3 texts of 7, 4 and 2 tokens."""
    ids = np.array([[2, 4, 5, 6, 7, 8, 3], [2, 5, 6, 3, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0]])
    return {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64), "token_type_ids": np.zeros_like(ids)}


@pytest.fixture
def no_overflow(runtime):
    """Without an 8-bit dot product ONNX Runtime's sums overflow, so build refuses int8 there."""
    if runtime is Runtime.ONNXRUNTIME:
        try:
            available_precisions(Precision.INT8, runtime)
        except BuildError as refusal:
            pytest.skip(str(refusal))


def _hidden(file, runtime, precision, tokens):
    return load_graph(file, HIDDEN, runtime, precision).run(tokens, HIDDEN)


@pytest.mark.usefixtures("no_overflow")
def test_a_rounded_trunk_computes_nearly_what_the_exact_one_does_at_every_tap(trunk_files, runtime, tokens):
    exact, rounded = trunk_files
    expected = _hidden(exact, runtime, Precision.FP32, tokens)

    computed = _hidden(rounded, runtime, Precision.INT8, tokens)

    assert list(computed) == HIDDEN
    seen = tokens["attention_mask"] > 0
    for name in HIDDEN:
        difference = np.abs(computed[name] - expected[name])[seen]
        assert 1e-4 < difference.mean() < 0.05  # rounded, and by no more than rounding
        assert np.abs(expected[name])[seen].mean() > 0.5


@pytest.mark.usefixtures("no_overflow")
def test_a_rounded_branch_computes_nearly_what_the_exact_one_does(branch_files, runtime):
    exact, rounded = branch_files
    generator = np.random.default_rng(0)
    given = {
        "hidden": generator.standard_normal((3, 5, WIDTH), np.float32),
        "attention_mask": np.ones((3, 5), np.int64),
    }

    expected = load_graph(exact, ["logits"], runtime).run(given, ["logits"])["logits"]
    computed = load_graph(rounded, ["logits"], runtime, Precision.INT8).run(given, ["logits"])["logits"]

    assert 1e-5 < np.abs(computed - expected).mean() < 0.05 * np.abs(expected).mean()


def test_a_text_s_int8_answer_does_not_depend_on_its_neighbours_in_the_batch(trunk_files, runtime, tokens):
    _, rounded = trunk_files
    loud = {name: array.copy() for name, array in tokens.items()}
    loud["input_ids"][0, 1:6] = 1
    alone = {name: array[1:2] for name, array in tokens.items()}

    among, with_others, by_itself = (_hidden(rounded, runtime, Precision.INT8, one) for one in (tokens, loud, alone))

    for name in HIDDEN:
        np.testing.assert_allclose(with_others[name][1], among[name][1], atol=1e-5)
        np.testing.assert_allclose(by_itself[name][0], among[name][1], atol=1e-5)


def test_all_matrices_of_the_layers_are_stored_in_8_bits_and_no_other_weight(trunk_files, branch_files):
    for exact, rounded in (trunk_files, branch_files):
        before, after = (onnx.load(file).graph.initializer for file in (exact, rounded))
        matrices = [weight for weight in before if len(weight.dims) == 2 and min(weight.dims) >= WIDTH]
        in_8_bits = [weight for weight in after if weight.data_type == onnx.TensorProto.INT8]
        assert sorted(list(weight.dims) for weight in in_8_bits) == sorted(
            list(weight.dims) for weight in matrices if weight.name.split(".")[0] != "embeddings"
        )
        floats = {weight.name: weight.raw_data for weight in after if weight.data_type == onnx.TensorProto.FLOAT}
        small = {weight.name: weight.raw_data for weight in before if len(weight.dims) < 2 and weight.name in floats}
        assert small
        assert {name: floats[name] for name in small} == small


def test_the_head_stays_in_float32(branch_files):
    _, rounded = branch_files

    weights = {tuple(weight.dims): weight.data_type for weight in onnx.load(rounded).graph.initializer}
    assert weights[WIDTH, 3] == onnx.TensorProto.FLOAT


def test_a_column_of_zeros_divides_nothing_by_zero(runtime, tmp_path):
    weight = np.eye(WIDTH, dtype=np.float32)
    weight[:, 0] = 0
    rows = ["batch", "length", WIDTH]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, rows)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, rows)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "model.onnx")
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", runtime, WIDTH)
    x = np.stack([np.zeros((2, WIDTH)), np.ones((2, WIDTH))]).astype(np.float32)

    y = load_graph(tmp_path / "int8.onnx", ["y"], runtime, Precision.INT8).run({"x": x}, ["y"])["y"]

    np.testing.assert_allclose(y, x @ weight, atol=0.02)


def test_the_int8_file_is_smaller_and_has_the_same_inputs_and_outputs(trunk_files):
    exact, rounded = (onnx.load(file).graph for file in trunk_files)

    assert {value.name for value in rounded.input} == set(TRUNK_INPUTS)
    assert [value.name for value in rounded.output] == [value.name for value in exact.output]


def test_w8_computes_in_floats_what_its_weights_say(trunk_files, runtime, tokens, tmp_path):
    if runtime is not Runtime.OPENVINO:
        pytest.skip("only OpenVINO takes w8")
    _, rounded = trunk_files
    as_floats = onnx.load(rounded)
    weights = {weight.name: numpy_helper.to_array(weight) for weight in as_floats.graph.initializer}
    for node in [node for node in as_floats.graph.node if node.op_type == "DequantizeLinear"]:
        values, scales = (weights[name] for name in node.input)
        as_floats.graph.initializer.append(numpy_helper.from_array(values * scales, node.output[0]))
        as_floats.graph.node.remove(node)
    onnx.save(as_floats, tmp_path / "floats.onnx")

    expected = _hidden(tmp_path / "floats.onnx", runtime, Precision.FP32, tokens)
    computed = _hidden(rounded, runtime, Precision.W8, tokens)

    seen = tokens["attention_mask"] > 0
    for name in HIDDEN:
        np.testing.assert_allclose(computed[name][seen], expected[name][seen], atol=1e-5)
