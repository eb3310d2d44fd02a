"""The versions of what makes a graph, for whoever asks later how an artefact was made."""

from importlib.metadata import version

_TOOLS = ("espalier", "numpy", "onnx", "onnx-ir", "onnxruntime", "onnxscript", "openvino", "tokenizers", "torch")


def tool_versions() -> dict[str, str]:
    """Returns {package: its version}."""
    return {name: version(name) for name in _TOOLS}
