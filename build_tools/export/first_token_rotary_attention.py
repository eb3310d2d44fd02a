"""Attention of a row's first token alone, for layers with rotary positions (ModernBERT).

Keys turn with their position, so they are computed. Values are not, as in first_token_attention.py; and with local
attention only the tokens that the first one sees are read at all. Not the keys are turned but the one query, backwards
by the angle of each key, which gives the same product: (R k) . q = k . (R^T q).
"""

import torch
from torch import nn

from build_tools.export.first_token_attention import of_each_head, values_by_head
from build_tools.export.packing import Packing
from training.encoders.layer import Layer
from training.encoders.positions import turns


class FirstTokenRotaryAttention(nn.Module):
    """With the weights of a Layer: hidden [B, T, H], mask [B, 1, 1, T] -> the first token's context, [B, 1, H]."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        own = layer.attention
        self.heads, self.rotary_base = own.heads, own.rotary_base
        self.window = own.window
        self.seen = own.window + 1 if own.window else own.most_tokens
        self.norm = own.norm
        self.query, self.key = own.query, own.key
        self.value = values_by_head(own.value, own.heads)
        self.value_bias = own.value.bias

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.window:
            hidden, mask = hidden[:, : self.seen], mask[..., : self.seen]
        if self.norm is not None:
            hidden = self.norm(hidden)
        packing = Packing.of(mask)
        key = packing.unpack(self.key(packing.pack(hidden))).unflatten(2, (self.heads, -1))  # [B, T, heads, D]
        # Summed by a product with ones: ONNX Runtime 1.31 does not sum a tensor without rows, but hands on its shape.
        products = (key * self._turned_query(hidden)) @ torch.ones(key.shape[-1], 1)
        scores = products.squeeze(-1).transpose(1, 2) + mask[:, 0]  # [B, heads, T]
        summed = scores.softmax(dim=-1) @ hidden  # [B, heads, H]
        context = of_each_head(summed.split(1, dim=1), self.value).flatten(1).unsqueeze(1)
        return context if self.value_bias is None else context + self.value_bias

    def _turned_query(self, hidden: torch.Tensor) -> torch.Tensor:
        """What each token's key is multiplied with, [B, T, heads, D]. The first token's own position is 0."""
        query = self.query(hidden[:, :1]).unflatten(2, (self.heads, -1))  # [B, 1, heads, D]
        width = query.shape[-1]
        query = query * width**-0.5
        first, second = query.chunk(2, dim=-1)
        cosines, sines = (
            torch.cat([table, table], dim=-1)[: hidden.shape[1], None]
            for table in turns(self.rotary_base, width, self.seen)
        )
        return query * cosines + torch.cat([second, -first], dim=-1) * sines
