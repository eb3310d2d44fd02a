"""Stands in for triton_python_backend_utils, the module that Triton's stub gives to our backends."""

from types import SimpleNamespace

import numpy as np


class Tensor:
    def __init__(self, name: str, array: np.ndarray) -> None:
        self.name = name
        self.array = array

    def as_numpy(self) -> np.ndarray:
        return self.array


class Request:
    def __init__(self, tensors: dict[str, np.ndarray], asked: list[str]) -> None:
        self.tensors = tensors
        self.asked = asked

    def requested_output_names(self) -> list[str]:
        return self.asked


class MetricFamily:
    COUNTER = "counter"

    def __init__(self, **_settings: str) -> None:
        self.counts: dict[tuple[str, ...], int] = {}

    def Metric(self, labels: dict[str, str]) -> SimpleNamespace:  # noqa: N802
        key = tuple(labels.values())
        self.counts[key] = 0
        return SimpleNamespace(increment=lambda value: self.counts.update({key: self.counts[key] + value}))


class TritonError(str):
    INVALID_ARG = 3
    code: int

    def __new__(cls, message: str, code: int = 1) -> "TritonError":
        error = super().__new__(cls, message)
        error.code = code
        return error


def _tensor(request: Request, name: str) -> Tensor | None:
    return Tensor(name, request.tensors[name]) if name in request.tensors else None


def _response(output_tensors: list[Tensor] | None = None, error: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(outputs={tensor.name: tensor.array for tensor in output_tensors or []}, error=error)


def backend_utils() -> SimpleNamespace:
    """The part of the module that our backends use."""
    return SimpleNamespace(
        Tensor=Tensor,
        InferenceResponse=_response,
        TritonError=TritonError,
        TritonModelException=RuntimeError,
        MetricFamily=MetricFamily,
        get_input_tensor_by_name=_tensor,
    )
