"""The processor that computes trunk and branches. Tokenizer, router and gate are always on the CPU."""

from enum import StrEnum

from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime


class Device(StrEnum):
    """gpu: an NVIDIA GPU, for the C++ `onnxruntime` backend of NVIDIA's container."""

    CPU = "cpu"
    GPU = "gpu"

    @property
    def runtime(self) -> Runtime:
        """What runs there unless the user says otherwise."""
        return Runtime.ONNXRUNTIME if self is Device.GPU else Runtime.OPENVINO

    @property
    def precision(self) -> Precision:
        """The number format there unless the user says otherwise."""
        return Precision.FP16 if self is Device.GPU else Precision.FP32


def check_device(device: Device, runtime: Runtime, precision: Precision) -> None:
    """Raises BuildError if graphs of this precision do not run on the device in that runtime."""
    if device is Device.GPU and runtime is not Runtime.ONNXRUNTIME:
        raise BuildError(f"a repository for a GPU runs onnxruntime, and not {runtime}: use --runtime onnxruntime.")
    if device is Device.GPU and precision not in (Precision.FP32, Precision.FP16):
        raise BuildError(f"graphs for a GPU are in fp16 or fp32, and not {precision}: use --precision fp16.")
    if device is Device.CPU and precision is Precision.FP16:
        raise BuildError(
            "fp16 is for a repository for a GPU, since a CPU does not compute faster in it: use --precision auto, or "
            "build a repository with --device gpu."
        )
