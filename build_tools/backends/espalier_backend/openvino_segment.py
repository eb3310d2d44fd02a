"""A model, or a segment of one, compiled by OpenVINO for the CPU."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import openvino

from .gelu import set_gelu_apart

# Parameters of NVIDIA's C++ backend that mean the same to OpenVINO itself; it takes their values as strings.
# The last two it leaves to OpenVINO's own choice.
_TAKEN_OVER = (
    "INFERENCE_NUM_THREADS",
    "NUM_STREAMS",
    "PERFORMANCE_HINT",
    "INFERENCE_PRECISION_HINT",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE",
)


def compile_options(parameters: Mapping[str, str]) -> dict[str, str]:
    """OpenVINO's properties for the parameters of a config.pbtxt; unknown parameters are left out."""
    # Left to itself the CPU plugin picks bfloat16 where the processor has it, and answers change by 1e-2.
    # Pinned, the threads of all model processes would stand on the same few cores, and the others idle.
    options = {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}
    return options | {name: parameters[name] for name in _TAKEN_OVER if name in parameters}


@cache
def _core() -> openvino.Core:
    """One for the process.

    Each puts up a stack for signals, and takes it away again with the one before it (SigAltStackSetup in its CPU
    plugin). If several end in another order than the reverse, one is left that is no more, and a Ctrl-C is a
    segmentation fault.
    """
    return openvino.Core()


class OpenVINOSegment:
    """A compiled ONNX file that computes `outputs`."""

    def __init__(self, file: Path, outputs: Sequence[str], parameters: Mapping[str, str]) -> None:
        options = compile_options(parameters)
        model = _core().read_model(file)
        if options["INFERENCE_PRECISION_HINT"] == "f32":
            set_gelu_apart(model)
        self._compiled = _core().compile_model(model, "CPU", options)
        self._ports = {name: self._compiled.output(name) for name in outputs}
        self.outputs = tuple(outputs)

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs; the arrays returned are views into memory that nothing writes to again."""
        feeds = {name: tensors[name] for port in self._compiled.inputs for name in port.names & tensors.keys()}
        # An own request (some 10 us) owns its outputs: they need no copy, and no later run overwrites them.
        request = self._compiled.create_infer_request()
        results = request.infer(feeds, share_inputs=True, share_outputs=True)
        return {name: results[port] for name, port in self._ports.items()}
