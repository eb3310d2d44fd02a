"""Shared code of the Python-based backends: cut an ONNX model at its outputs, answer requests."""
