from build_tools.repository.precision import Precision, parameters
from build_tools.repository.runtime import Runtime


def test_the_config_says_what_the_graph_does_not():
    plain = Runtime.OPENVINO.parameters

    assert parameters(Runtime.OPENVINO, Precision.FP32) == plain
    assert parameters(Runtime.OPENVINO, Precision.BF16) == {**plain, "INFERENCE_PRECISION_HINT": "bf16"}
    assert parameters(Runtime.OPENVINO, Precision.INT8) == {**plain, "DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"}
    for one in (Precision.FP32, Precision.INT8):
        assert parameters(Runtime.ONNXRUNTIME, one) == Runtime.ONNXRUNTIME.parameters
