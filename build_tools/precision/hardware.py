"""The precisions that a runtime and this processor support."""

import platform
from pathlib import Path

from build_tools.backends.espalier_backend.telemetry import turn_off_telemetry
from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime

_PROCESSORS = Path("/proc/cpuinfo")  # torch knows it too, and takes seconds to load


def available_precisions(wanted: Precision, runtime: Runtime) -> list[Precision]:
    """Returns the precisions to try: `wanted`, or for auto all that are supported, fp32 included.

    auto does not try w8, which saves memory and is not faster than fp32, nor fp16, which is for GPUs.

    Raises BuildError if the runtime or this processor does not support `wanted`.
    """
    if wanted is Precision.AUTO:
        tried = (one for one in Precision if one not in (Precision.AUTO, Precision.W8, Precision.FP16))
        return [one for one in tried if _obstacle(one, runtime) is None]
    obstacle = _obstacle(wanted, runtime)
    if obstacle:
        raise BuildError(obstacle)
    return [wanted]


def _obstacle(precision: Precision, runtime: Runtime) -> str | None:
    """Why the precision is not supported, and what to use instead; None if it is supported."""
    if precision is Precision.BF16 and runtime is Runtime.ONNXRUNTIME:
        return "ONNX Runtime computes no bf16 on a CPU: use --precision int8, auto or fp32, or --runtime openvino."
    if precision is Precision.BF16 and not _has_bf16():
        return "this processor has no bf16 arithmetic: use --precision auto or fp32, or build on one that has it."
    if precision is Precision.FP16 and runtime is Runtime.OPENVINO:
        return "fp16 is for GPUs, on which onnxruntime runs: use --precision auto or fp32, or --runtime onnxruntime."
    if precision is Precision.W8 and runtime is Runtime.ONNXRUNTIME:
        return (
            "ONNX Runtime would make the weights floats again for each call: use --precision int8, auto or fp32, or "
            "--runtime openvino."
        )
    if precision is Precision.INT8 and not _has_int8():
        return (
            "this processor has no 8-bit dot product (AVX-512 VNNI or AVX-VNNI), without which int8 is slower than "
            "fp32 and can overflow: use --precision auto or fp32, or build on one that has it."
        )
    return None


def _has_bf16() -> bool:
    turn_off_telemetry()
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _has_int8() -> bool:
    if platform.machine() != "x86_64":
        return True
    lines = _PROCESSORS.read_text(encoding="utf-8").splitlines()
    abilities = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(abilities)
