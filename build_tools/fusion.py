"""A BERT layer as ONNX Runtime computes it fastest: its own fused operators where it would run several.

ONNX Runtime fuses neither attention nor GELU of an exported BERT by itself, and `onnxruntime.transformers` does not
find the attention either (measured with 1.31: docs/benchmarks.md). So the exported layer says what is meant. OpenVINO
fuses what it can when it compiles the plain graph.
"""

from collections.abc import Sequence

import torch
from torch import nn
from transformers.activations import GELUActivation
from transformers.models.bert.modeling_bert import BertLayer, BertOutput, BertSelfOutput


class FusedLayer(nn.Module):
    """Stands for a BertLayer in an export: the same weights, in operators of ONNX Runtime's domain com.microsoft.

    It can be exported, and not be run: PyTorch has no such operators.
    """

    def __init__(self, layer: BertLayer) -> None:
        super().__init__()
        attention = layer.attention.self
        projections = (attention.query, attention.key, attention.value)
        self.heads = int(attention.num_attention_heads)
        self.qkv_weight = nn.Parameter(torch.cat([one.weight.detach().T for one in projections], dim=1))
        self.qkv_bias = nn.Parameter(torch.cat([one.bias.detach() for one in projections]))
        self.attention_output = layer.attention.output
        self.intermediate = layer.intermediate
        self.output = layer.output

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """hidden float32 [B, T, H], mask as `additive_mask` makes it, float32 [B, 1, 1, T] -> float32 [B, T, H]."""
        seen = (mask[:, 0, 0, :] == 0).to(torch.int32)
        context = _fused("Attention", (hidden, self.qkv_weight, self.qkv_bias, seen), hidden, num_heads=self.heads)
        hidden = _add_and_normalize(self.attention_output, context, hidden)
        return _add_and_normalize(self.output, self._activated(hidden), hidden)

    def _activated(self, hidden: torch.Tensor) -> torch.Tensor:
        dense, activate = self.intermediate.dense, self.intermediate.intermediate_act_fn
        if not isinstance(activate, GELUActivation):  # one of the approximations, or no GELU at all
            return activate(dense(hidden))
        product = hidden @ dense.weight.T
        return _fused("BiasGelu", (product, dense.bias), product)


def _add_and_normalize(
    module: BertSelfOutput | BertOutput, tensor: torch.Tensor, residual: torch.Tensor
) -> torch.Tensor:
    """The end of attention and of the feed-forward part: dense, the residual added, layer norm."""
    dense, norm = module.dense, module.LayerNorm
    product = tensor @ dense.weight.T
    inputs = (product, residual, norm.weight, norm.bias, dense.bias)
    return _fused("SkipLayerNormalization", inputs, product, epsilon=norm.eps)


def _fused(
    operator: str, inputs: Sequence[torch.Tensor], like: torch.Tensor, **attributes: int | float
) -> torch.Tensor:
    """One operator of com.microsoft, its result of the type and shape of `like`."""
    return torch.onnx.ops.symbolic(
        f"com.microsoft::{operator}", inputs, dict(attributes), dtype=like.dtype, shape=like.shape, version=1
    )
