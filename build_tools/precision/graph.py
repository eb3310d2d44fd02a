"""Exported graphs in their version folders, in each precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.precision.half import halve
from build_tools.precision.load_graph import load_graph
from build_tools.precision.quantization import quantize
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from training.checkpoint import Checkpoint


class Graph:
    """An exported file. fp32 and bf16 run the same file; int8 and w8 another, fp16 a third, made when first needed."""

    def __init__(self, file: Path, outputs: list[str], runtime: Runtime, hidden_size: int) -> None:
        self.file, self.runtime = file, runtime
        self._outputs, self._hidden_size = outputs, hidden_size
        self._int8, self._fp16 = file.with_name("int8.onnx"), file.with_name("fp16.onnx")

    def load(self, precision: Precision = Precision.FP32) -> Chain:
        """Returns the graph, ready to run in that precision."""
        return load_graph(self._file_of(precision), self._outputs, self.runtime, precision)

    def keep_only(self, precision: Precision) -> None:
        """Keeps only the file of that precision, under the exported file's name."""
        self._file_of(precision).replace(self.file)
        self._int8.unlink(missing_ok=True)
        self._fp16.unlink(missing_ok=True)

    def _file_of(self, precision: Precision) -> Path:
        if precision is Precision.FP16:
            if not self._fp16.exists():
                halve(self.file, self._fp16)
            return self._fp16
        if precision not in (Precision.INT8, Precision.W8):
            return self.file
        if not self._int8.exists():
            quantize(self.file, self._int8, self.runtime, self._hidden_size)
        return self._int8


@dataclass(frozen=True)
class ExportedBranch:
    """A checkpoint, its golden examples, and the graph of its branch."""

    checkpoint: Checkpoint
    golden: GoldenBatch
    graph: Graph

    @property
    def task(self) -> str:
        """The task's name."""
        return self.checkpoint.record.task


@dataclass(frozen=True)
class Graphs:
    """All graphs that a build exported; they have passed logit parity in fp32."""

    trunk: Graph
    taps: list[int]
    branches: Sequence[ExportedBranch]
