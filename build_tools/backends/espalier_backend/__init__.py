"""What the Python-based backends share: cutting an ONNX model at its outputs, and answering requests."""

from .telemetry import turn_off_telemetry

turn_off_telemetry()  # here, so that it comes before every import of OpenVINO and ONNX Runtime in this package
