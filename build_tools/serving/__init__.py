"""Run a model repository on the real tritonserver that the wheel nvidia-pytriton carries."""
