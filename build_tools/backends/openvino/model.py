"""Entry point of the backend `openvino`: Triton's Python stub imports it with its folder on sys.path."""

from espalier_backend.openvino_segment import OpenVINOSegment
from espalier_backend.triton_model import OnnxModel


class TritonPythonModel(OnnxModel):
    """A version of a model, run by OpenVINO."""

    compile_segment = OpenVINOSegment
