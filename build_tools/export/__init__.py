"""PyTorch modules -> ONNX graphs; the hand-written models -> copies in a repository."""
