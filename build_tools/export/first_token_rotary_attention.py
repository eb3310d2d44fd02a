"""Attention of a row's first token alone, for layers with rotary positions (ModernBERT).

Keys turn with their position, so they are computed. Values are not, as in first_token_attention.py; and with local
attention only the tokens that the first one sees are read at all.
"""

import torch
from torch import nn

from build_tools.export.first_token_attention import of_each_head, values_by_head
from build_tools.export.packing import Packing
from training.encoders.layer import Layer
from training.encoders.positions import rotated


class FirstTokenRotaryAttention(nn.Module):
    """With the weights of a Layer: hidden [B, T, H], mask [B, 1, 1, T] -> the first token's context, [B, 1, H]."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        own = layer.attention
        self.heads, self.rotary_base = own.heads, own.rotary_base
        self.seen = own.window + 1 if own.window else own.most_tokens
        self.norm = own.norm
        self.query, self.key = own.query, own.key
        self.value = values_by_head(own.value, own.heads)
        self.value_bias = own.value.bias

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden, mask = hidden[:, : self.seen], mask[..., : self.seen]
        packing = Packing.of(mask)
        tokens = packing.pack(hidden)
        if self.norm is not None:
            tokens = self.norm(tokens)
        hidden = packing.unpack(tokens)
        # The first token's position is 0, which turns nothing.
        query = self.query(hidden[:, :1]).unflatten(2, (self.heads, -1)).transpose(1, 2)  # [B, heads, 1, D]
        key = packing.unpack(self.key(tokens)).unflatten(2, (self.heads, -1)).transpose(1, 2)
        key = rotated(key, self.rotary_base, self.seen)
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + mask  # [B, heads, 1, T]
        summed = scores[:, :, 0].softmax(dim=-1) @ hidden  # [B, heads, H]
        context = of_each_head(summed.split(1, dim=1), self.value).flatten(1).unsqueeze(1)
        return context if self.value_bias is None else context + self.value_bias
