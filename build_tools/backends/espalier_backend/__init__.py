"""What the Python-based backends share: cutting an ONNX model at its outputs, and answering requests."""
