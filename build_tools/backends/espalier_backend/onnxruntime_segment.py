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
        self._run_options: onnxruntime.RunOptions | None = None
        self.outputs = tuple(outputs)

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes all outputs, each into a new array."""
        feeds = {name: tensors[name] for name in self._reads}
        options, self._run_options = self._run_options, None
        results = self._session.run(self.outputs, feeds, options)
        return dict(zip(self.outputs, results, strict=True))

    def release(self) -> None:
        """Has the next call give back the buffers of earlier ones: ONNX Runtime does that at the end of a call only."""
        self._run_options = onnxruntime.RunOptions()
        self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
