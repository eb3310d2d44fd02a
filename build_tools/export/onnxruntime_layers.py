"""A BERT layer in the form that runs fastest on ONNX Runtime, with its fused operators.

ONNX Runtime does not fuse attention or GELU of an exported BERT by itself, and `onnxruntime.transformers` does not find
the attention either (measured with 1.31: docs/experiments.md). So the layer is exported with the fused operators.
OpenVINO fuses the plain graph when it compiles it.

These modules can be exported but not run: PyTorch has no operators of the domain com.microsoft.
"""

from collections.abc import Sequence

import torch
from transformers.activations import GELUActivation
from transformers.models.bert.modeling_bert import BertOutput, BertSelfOutput

from build_tools.export.exported_layers import Attention, FeedForward, Form
from build_tools.export.packing import seen_positions


class FusedAttention(Attention):
    """Attention as one operator."""

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen = seen_positions(mask).to(torch.int32)
        return _fused("MultiHeadAttention", (query, key, value, None, seen), query, num_heads=self.heads)


class FusedFeedForward(FeedForward):
    """Bias and GELU as one operator, and bias, residual and layer norm as another."""

    def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        hidden = _add_and_normalize(self.attention_output, context, hidden)
        return _add_and_normalize(self.output, self._activated(hidden), hidden)

    def _activated(self, hidden: torch.Tensor) -> torch.Tensor:
        dense, activate = self.intermediate.dense, self.intermediate.intermediate_act_fn
        if not isinstance(activate, GELUActivation):  # an approximation of GELU, or another function
            return activate(dense(hidden))
        product = hidden @ dense.weight.T
        return _fused("BiasGelu", (product, dense.bias), product)


FUSED = Form(FusedAttention, FusedFeedForward)


def _add_and_normalize(
    module: BertSelfOutput | BertOutput, tensor: torch.Tensor, residual: torch.Tensor
) -> torch.Tensor:
    """The end of attention and of the feed-forward part: dense, residual, layer norm."""
    dense, norm = module.dense, module.LayerNorm
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
