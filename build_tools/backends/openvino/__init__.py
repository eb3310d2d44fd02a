"""Triton Python-based backend `openvino`: its entry point is `model.py`."""
