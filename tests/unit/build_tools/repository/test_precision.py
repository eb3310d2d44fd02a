import pytest

from build_tools.repository.precision import Precision, common_parameters, parameters
from build_tools.repository.runtime import Runtime

FP32, BF16, INT8, W8 = Precision.FP32, Precision.BF16, Precision.INT8, Precision.W8


def test_the_config_says_what_the_graph_does_not():
    plain = Runtime.OPENVINO.parameters

    assert parameters(Runtime.OPENVINO, Precision.FP32) == plain
    assert parameters(Runtime.OPENVINO, Precision.BF16) == {**plain, "INFERENCE_PRECISION_HINT": "bf16"}
    assert parameters(Runtime.OPENVINO, Precision.INT8) == {**plain, "DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"}
    for one in (Precision.FP32, Precision.INT8, Precision.FP16):
        assert parameters(Runtime.ONNXRUNTIME, one) == Runtime.ONNXRUNTIME.parameters


@pytest.mark.parametrize(
    ("precisions", "common"),
    [
        ([FP32, FP32], {}),
        ([FP32, W8], {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}),
        ([INT8, FP32, INT8], {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"}),
        ([BF16, BF16], {"INFERENCE_PRECISION_HINT": "bf16"}),
        ([W8, INT8], None),
        ([FP32, BF16], None),
        ([BF16, W8], None),
    ],
)
def test_what_can_be_in_one_graph_has_parameters_that_hold_for_all_of_it(precisions, common):
    wanted = None if common is None else Runtime.OPENVINO.parameters | common

    assert common_parameters(Runtime.OPENVINO, precisions) == wanted
    assert common_parameters(Runtime.ONNXRUNTIME, precisions) == Runtime.ONNXRUNTIME.parameters
