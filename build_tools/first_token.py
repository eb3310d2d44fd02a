"""Attention of a row's first token alone, which is all that a head with BERT's pooler reads of the last layer.

Its one query meets the hidden states themselves, and neither keys nor values are computed: for each head

    q . (W_k x_t + b_k) = (W_k^T q) . x_t + q . b_k        where the softmax over t takes no notice of q . b_k
    sum_t a_t (W_v x_t + b_v) = W_v (sum_t a_t x_t) + b_v  because the weights a_t sum to 1

so that two products with each token of a row become two with each row.
"""

from typing import Any

import torch
from torch import nn


class FirstTokenAttention(nn.Module):
    """With the weights of a BertLayer: hidden [B, T, H], mask [B, 1, 1, T] -> the first token's context, [B, 1, H]."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        own = layer.attention.self
        self.query = own.query
        self.heads = int(own.num_attention_heads)
        # D = H / heads. What stands in W_k for a head, [D, H], takes a query to the hidden states' side.
        self.key = nn.Parameter(own.key.weight.detach().unflatten(0, (self.heads, -1)))
        self.value = nn.Parameter(own.value.weight.detach().unflatten(0, (self.heads, -1)).transpose(1, 2))
        self.value_bias = own.value.bias

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query = self.query(hidden[:, :1]).unflatten(2, (self.heads, -1)).squeeze(1)  # [B, heads, D]
        asked = self._of_each_head(query, self.key)  # [B, heads, H]
        scores = asked @ hidden.transpose(1, 2) * query.shape[-1] ** -0.5 + mask[:, 0]  # [B, heads, T]
        weights = scores.softmax(dim=-1)
        context = self._of_each_head(weights @ hidden, self.value)  # [B, heads, D]
        return context.flatten(1).unsqueeze(1) + self.value_bias

    @staticmethod
    def _of_each_head(rows: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        """rows [B, heads, I], of each head its own matrix [heads, I, O] -> [B, heads, O]."""
        return (rows.transpose(0, 1) @ matrices).transpose(0, 1)
