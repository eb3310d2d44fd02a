"""The number format that trunk and branches compute in."""

from enum import StrEnum

from build_tools.repository.runtime import Runtime


class Precision(StrEnum):
    """A graph has fp32, bf16 or int8. auto asks for the fastest that passes the checks."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    AUTO = "auto"


def parameters(runtime: Runtime, precision: Precision) -> dict[str, str]:
    """Returns the parameters of config.pbtxt for a graph of that precision."""
    return runtime.parameters | _HINTS.get((runtime, precision), {})


# For int8, OpenVINO rounds activations in groups of 128 values, each group with its own scale. The group size must
# divide the hidden size, or nothing is rounded, which is slow. Larger groups are hardly faster and less exact
# (docs/experiments.md). For ONNX Runtime the graph itself says what is computed in int8.
_HINTS = {
    (Runtime.OPENVINO, Precision.BF16): {"INFERENCE_PRECISION_HINT": "bf16"},
    (Runtime.OPENVINO, Precision.INT8): {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"},
}
