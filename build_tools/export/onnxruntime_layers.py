"""A layer in the form that runs fastest on ONNX Runtime, with its fused operators.

ONNX Runtime does not fuse attention or GELU of an exported BERT by itself, and `onnxruntime.transformers` does not find
the attention either (measured with 1.31: docs/experiments.md). So the layer is exported with the fused operators.
OpenVINO fuses the plain graph when it compiles it.

These modules can be exported but not run: PyTorch has no operators of the domain com.microsoft.
"""

from collections.abc import Sequence

import torch
from torch import nn

from build_tools.export.exported_layers import Attention, Form
from build_tools.export.packing import seen_positions
from training.encoders.after_attention import AfterAttention, NormFirstAfterAttention
from training.encoders.layer import Layer
from training.encoders.positions import near

_FAR = -10_000.0  # added to the scores of tokens that are not seen, as the operator does for padding


class FusedAttention(Attention):
    """Attention as one operator."""

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen = seen_positions(mask).to(torch.int32)
        inputs = (query, key, value, None, seen, *self._added(mask.shape[3]))
        return _fused("MultiHeadAttention", inputs, query, num_heads=self.heads)

    def _added(self, length: int) -> tuple[torch.Tensor, ...]:
        """What is added to the scores beside the mask of padding: nothing, or float32 [1, heads, T, T]."""
        if self.bias is not None:
            return (self._relative_bias(length),)
        if self.window:
            far = torch.where(near(length, self.window), 0.0, _FAR)
            return (far.expand(1, self.heads, length, length),)
        return ()


class FusedAfterAttention(nn.Module):
    """Bias and GELU as one operator, and bias, residual and layer norm as another."""

    def __init__(self, part: AfterAttention) -> None:
        super().__init__()
        self.part = part

    def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        part = self.part
        hidden = _add_and_normalize(part.attention_output, part.attention_norm, context, hidden)
        return _add_and_normalize(part.outer, part.outer_norm, _activated(part, hidden), hidden)


class FusedNormFirstAfterAttention(nn.Module):
    """Bias and GELU as one operator."""

    def __init__(self, part: NormFirstAfterAttention) -> None:
        super().__init__()
        self.part = part

    def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        part = self.part
        hidden = part.attention_output(context) + hidden
        return part.outer(_activated(part, part.inner_norm(hidden))) + hidden


def _fused_after_attention(layer: Layer) -> nn.Module:
    part = layer.after_attention
    if isinstance(part, NormFirstAfterAttention):
        return FusedNormFirstAfterAttention(part)
    return FusedAfterAttention(part)


FUSED = Form(FusedAttention, _fused_after_attention)


def _activated(part: AfterAttention, hidden: torch.Tensor) -> torch.Tensor:
    """What the outer projection reads."""
    activation, dense = part.activation, part.inner
    if not (isinstance(activation, nn.GELU) and activation.approximate == "none"):
        return part.activated(hidden)
    if dense.bias is None:
        product = dense(hidden)
        activated = _fused("Gelu", (product,), product)
    else:
        product = hidden @ dense.weight.T
        activated = _fused("BiasGelu", (product, dense.bias), product)
    return activated if part.gate is None else activated * part.gate(hidden)


def _add_and_normalize(
    dense: nn.Linear, norm: nn.LayerNorm, tensor: torch.Tensor, residual: torch.Tensor
) -> torch.Tensor:
    """The end of attention and of the feed-forward part: dense, residual, layer norm."""
    product = tensor @ dense.weight.T
    inputs = (product, residual, norm.weight, norm.bias, dense.bias)
    return _fused("SkipLayerNormalization", inputs, product, epsilon=norm.eps)


def _fused(
    operator: str, inputs: Sequence[torch.Tensor | None], like: torch.Tensor, **attributes: int | float
) -> torch.Tensor:
    """One operator of com.microsoft, whose result has the type and shape of `like`."""
    return torch.onnx.ops.symbolic(
        f"com.microsoft::{operator}", inputs, dict(attributes), dtype=like.dtype, shape=like.shape, version=1
    )
