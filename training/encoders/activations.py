"""The functions between the two products of a feed-forward part, by the names that configs use."""

from collections.abc import Callable

import torch
from torch import nn


class QuickGelu(nn.Module):
    """x * sigmoid(1.702 x), an approximation of GELU."""

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor * torch.sigmoid(1.702 * tensor)


def _approximated() -> nn.Module:
    return nn.GELU(approximate="tanh")


# The names of transformers, which has several for what is the same function.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_python": nn.GELU,
    "gelu_new": _approximated,
    "gelu_fast": _approximated,
    "gelu_accurate": _approximated,
    "gelu_pytorch_tanh": _approximated,
    "gelu_python_tanh": _approximated,
    "quick_gelu": QuickGelu,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
