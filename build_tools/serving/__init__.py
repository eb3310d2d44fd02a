"""Serves a model repository with the tritonserver in the wheel nvidia-pytriton."""
