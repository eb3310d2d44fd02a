"""Triton Python-based backend `onnxruntime`: its entry point is `model.py`."""
