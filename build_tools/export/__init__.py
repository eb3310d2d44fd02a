"""PyTorch modules -> ONNX graphs, and the hand-written models -> a repository."""
