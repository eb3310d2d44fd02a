"""A model, or a segment of one, that OpenVINO runs on the CPU."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import openvino

from .gelu import set_gelu_apart

# Parameters that are passed on to OpenVINO, as strings. NVIDIA's C++ backend takes the first three under the same
# names, and leaves the last two to OpenVINO.
_TAKEN_OVER = (
    "INFERENCE_NUM_THREADS",
    "NUM_STREAMS",
    "PERFORMANCE_HINT",
    "INFERENCE_PRECISION_HINT",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE",
)


def compile_options(parameters: Mapping[str, str]) -> dict[str, str]:
    """Returns OpenVINO's properties for the parameters of a config.pbtxt. Unknown parameters are left out."""
    # By default the CPU plugin uses bfloat16 where the processor has it, and answers change by 1e-2.
    # With pinning, the threads of all model processes would share the same few cores, and the others would be idle.
    options = {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}
    return options | {name: parameters[name] for name in _TAKEN_OVER if name in parameters}


@cache
def _core() -> openvino.Core:
    """Returns the one OpenVINO core of the process.

    Each core installs a signal stack and restores the earlier one when it ends (SigAltStackSetup in the CPU plugin). If
    several end in the wrong order, a dangling signal stack remains, and Ctrl-C crashes the process.
    """
    return openvino.Core()


class OpenVINOSegment:
    """An ONNX file that OpenVINO has compiled. It computes `outputs`."""

    def __init__(self, file: Path, outputs: Sequence[str], parameters: Mapping[str, str]) -> None:
        options = compile_options(parameters)
        model = _core().read_model(file)
        if options["INFERENCE_PRECISION_HINT"] == "f32":
            set_gelu_apart(model)
        self._compiled = _core().compile_model(model, "CPU", options)
        self._ports = {name: self._compiled.output(name) for name in outputs}
        self._last: list[tuple[int, ...]] = []  # the inputs' shapes of the last request that was computed
        self.outputs = tuple(outputs)

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes all outputs. The arrays are views into memory that later calls do not overwrite."""
        feeds = {name: tensors[name] for port in self._compiled.inputs for name in port.names & tensors.keys()}
        # A new request (about 10 us) owns its outputs: they need no copy, and later calls do not overwrite them.
        request = self._compiled.create_infer_request()
        try:
            results = request.infer(feeds, share_inputs=True, share_outputs=True)
        except Exception:
            self._forget([array.shape for array in feeds.values()])
            raise
        self._last = [array.shape for array in feeds.values()]
        return {name: results[port] for name, port in self._ports.items()}

    def release(self) -> None:
        """Gives back the buffers of earlier calls. None may be under way."""
        self._compiled.release_memory()

    def _forget(self, failed: list[tuple[int, ...]]) -> None:
        """Computes zeros of another shape, so that nothing of a request that failed shows in the next answer.

        OpenVINO infers the output shapes of all nodes first, and then prepares and runs them one by one. Only then does
        a node note the input shapes that it has prepared for (`lastInputDims` of the CPU plugin's Node), and it infers
        its output shape anew only if the input shapes are not those. If a node in the middle fails, those after it have
        the output shapes of the failed request and the noted input shapes of the one before. A next request of those
        shapes gets an answer of the failed one's shape.
        """
        rows, length = unlike([*self._last, *failed])
        zeros = {}
        for port in self._compiled.inputs:
            places = zip(port.partial_shape, (rows, length, 1, 1), strict=False)
            shape = [other if size.is_dynamic else size.get_length() for size, other in places]
            zeros[port.any_name] = np.zeros(shape, port.element_type.to_dtype())
        with suppress(Exception):  # the request has failed anyway, and says why
            self._compiled.create_infer_request().infer(zeros)


def unlike(shapes: Iterable[tuple[int, ...]]) -> tuple[int, int]:
    """Returns a number of rows and a length that none of the shapes has, nor their product."""
    known = list(shapes)
    rows, lengths = ({shape[place] for shape in known if len(shape) > place} for place in (0, 1))
    products = {shape[0] * shape[1] for shape in known if len(shape) > 1}
    return next(
        (size, size + 1)
        for size in count(1)
        if size not in rows and size + 1 not in lengths and size * (size + 1) not in products
    )
