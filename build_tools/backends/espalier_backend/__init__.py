"""Shared code of the Python-based backends: cut an ONNX model at its outputs, answer requests."""

from .telemetry import turn_off_telemetry

turn_off_telemetry()  # here, so that it comes before every import of OpenVINO and ONNX Runtime in this package
