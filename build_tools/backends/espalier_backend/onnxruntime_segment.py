"""A model, or a segment of one, that ONNX Runtime runs on the CPU."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime


class OnnxRuntimeSegment:
    """An ONNX Runtime session on an ONNX file. It computes `outputs`."""

    def __init__(self, file: Path, outputs: Sequence[str], parameters: Mapping[str, str]) -> None:
        options = onnxruntime.SessionOptions()
        if "intra_op_thread_count" in parameters:
            options.intra_op_num_threads = int(parameters["intra_op_thread_count"])
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._reads = [value.name for value in self._session.get_inputs()]
        self.outputs = tuple(outputs)

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes all outputs, each into a new array."""
        results = self._session.run(self.outputs, {name: tensors[name] for name in self._reads})
        return dict(zip(self.outputs, results, strict=True))
