"""Entry point of the backend `onnxruntime`: Triton's Python stub imports it with its folder on sys.path."""

from espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from espalier_backend.triton_model import OnnxModel


class TritonPythonModel(OnnxModel):
    """A version of a model, run by ONNX Runtime."""

    compile_segment = OnnxRuntimeSegment
