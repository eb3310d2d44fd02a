"""The number format that trunk and branches compute in."""

from collections.abc import Iterable
from enum import StrEnum

from build_tools.repository.runtime import Runtime


class Precision(StrEnum):
    """A graph has fp32, bf16, int8 or w8: weights in int8, computed in fp32. auto asks for the fastest that passes.

    fp16 is for GPUs (device.py).
    """

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    W8 = "w8"
    FP16 = "fp16"
    AUTO = "auto"


def parameters(runtime: Runtime, precision: Precision) -> dict[str, str]:
    """Returns the parameters of config.pbtxt for a graph of that precision."""
    return runtime.parameters | _HINTS.get((runtime, precision), {})


def common_parameters(runtime: Runtime, precisions: Iterable[Precision]) -> dict[str, str] | None:
    """Returns the parameters of one graph with parts of these precisions; None if they cannot be in one graph.

    bf16 is a property of the whole graph. The size of groups matters only to parts whose weights are in int8.
    """
    common: dict[str, str] = {}
    given = [_HINTS.get((runtime, precision), {}) for precision in precisions]
    for hints in given:
        if any(common.setdefault(name, value) != value for name, value in hints.items()):
            return None
    if any(hints.get(_WHOLE) != common.get(_WHOLE) for hints in given):
        return None
    return runtime.parameters | common


_WHOLE = "INFERENCE_PRECISION_HINT"


# For int8, OpenVINO rounds activations in groups of 128 values, each group with its own scale. The group size must
# divide the hidden size, or nothing is rounded, which is slow. Larger groups are hardly faster and less exact
# (docs/experiments.md). For w8 it rounds none. For ONNX Runtime the graph itself says what is computed in int8.
_HINTS = {
    (Runtime.OPENVINO, Precision.BF16): {_WHOLE: "bf16"},
    (Runtime.OPENVINO, Precision.INT8): {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"},
    (Runtime.OPENVINO, Precision.W8): {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"},
}
