"""The number format that trunk and branches compute in."""

from enum import StrEnum

from build_tools.repository.runtime import Runtime


class Precision(StrEnum):
    """auto is a wish: the fastest that passes the checks. A graph has one of the others."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    AUTO = "auto"


def parameters(runtime: Runtime, precision: Precision) -> dict[str, str]:
    """The parameters of config.pbtxt for a graph of that precision; what they do not say, the graph itself does."""
    return runtime.parameters | _HINTS.get((runtime, precision), {})


# OpenVINO rounds activations for int8 in groups of so many, each with a scale of its own. 128 divides the hidden sizes
# in use (else it rounds nothing, which is slow); greater groups are hardly faster and less exact (docs/experiments.md).
_HINTS = {
    (Runtime.OPENVINO, Precision.BF16): {"INFERENCE_PRECISION_HINT": "bf16"},
    (Runtime.OPENVINO, Precision.INT8): {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"},
}
