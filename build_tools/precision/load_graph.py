"""A graph in a version's folder, ready to run in this process. It needs no torch."""

from collections.abc import Mapping
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.backends.espalier_backend.fused_graph import FusedGraph
from build_tools.backends.espalier_backend.fused_layout import FusedLayout
from build_tools.backends.espalier_backend.load_chain import Compile, load_chain
from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.errors import BuildError
from build_tools.repository.precision import Precision, parameters
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import ROWS_FILE
from training.errors import one_line

_COMPILE: dict[Runtime, Compile] = {Runtime.OPENVINO: OpenVINOSegment, Runtime.ONNXRUNTIME: OnnxRuntimeSegment}


def load_graph(path: Path, outputs: list[str], runtime: Runtime, precision: Precision = Precision.FP32) -> Chain:
    """Loads a graph as our backend of that runtime does: cut at its outputs, with the parameters of its config.

    Raises BuildError if the runtime cannot run it.
    """
    try:
        return load_chain(path, outputs, parameters(runtime, precision), _COMPILE[runtime])
    except OSError:
        raise
    except Exception as error:  # the runtimes raise many types
        raise BuildError(f"{runtime} cannot run {path}: {one_line(error):.300}") from error


def load_fused(
    folder: Path, layout: FusedLayout, runtime: Runtime, parameters: Mapping[str, str], hidden_size: int
) -> FusedGraph:
    """Loads the version of a fused model in `folder` as our backend does. parameters: of its config."""
    segment = _COMPILE[runtime](folder / ROWS_FILE, list(layout.columns), parameters)
    return FusedGraph(segment, layout, hidden_size)
