"""Attention of a row's first token alone, which is all that a head with a pooler reads of the last layer.

The one query is compared with the hidden states themselves, so keys and values are not computed. For each head

    q . (W_k x_t + b_k) = (W_k^T q) . x_t + q . b_k        and the softmax over t ignores q . b_k
    sum_t a_t (W_v x_t + b_v) = W_v (sum_t a_t x_t) + b_v  because the weights a_t sum to 1

so two matrix products per token become two per row.
"""

from collections.abc import Iterable

import torch
from torch import nn

from training.encoders.layer import Layer


class FirstTokenAttention(nn.Module):
    """With the weights of a Layer: hidden [B, T, H], mask [B, 1, 1, T] -> the first token's context, [B, 1, H].

    The layer has neither rotary positions (see first_token_rotary_attention.py) nor a norm or a window, which come with
    them.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        own = layer.attention
        self.query = own.query
        # D = H / heads. The rows of W_k for a head, [D, H], map its query into the space of the hidden states.
        self.key = _parameters(own.key.weight.detach().chunk(own.heads))
        self.value = values_by_head(own.value, own.heads)
        self.value_bias = own.value.bias
        # What the distance of each token from the first adds to the scores, [heads, most tokens].
        self.bias = None
        if own.position_bias is not None:
            self.bias = nn.Parameter(own.bias_of_distances()[:, own.most_tokens - 1 :].detach().contiguous())

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query = self.query(hidden[:, :1])
        width = query.shape[-1] // len(self.key)
        query = query * width**-0.5  # here, not of the scores: OpenVINO would multiply all hidden states with it
        asked = of_each_head(query.split(width, dim=-1), self.key)  # [B, heads, H]
        added = mask[:, 0] if self.bias is None else mask[:, 0] + self.bias[:, : hidden.shape[1]]
        scores = asked @ hidden.transpose(1, 2) + added  # [B, heads, T]
        summed = scores.softmax(dim=-1) @ hidden  # [B, heads, H]
        context = of_each_head(summed.split(1, dim=1), self.value)  # [B, heads, D]
        return context.flatten(1).unsqueeze(1) + self.value_bias


def of_each_head(rows: Iterable[torch.Tensor], matrices: Iterable[torch.Tensor]) -> torch.Tensor:
    """For each head, rows [B, 1, I] and a matrix [I, O] -> [B, heads, O].

    One product per head: for a product in three dimensions OpenVINO packs the weights again for each new B.
    """
    return torch.cat([row @ matrix for row, matrix in zip(rows, matrices, strict=True)], dim=1)


def values_by_head(value: nn.Linear, heads: int) -> nn.ParameterList:
    """For each head the matrix [H, D] that makes values of hidden states, without the bias."""
    return _parameters(part.T for part in value.weight.detach().chunk(heads))


def _parameters(tensors: Iterable[torch.Tensor]) -> nn.ParameterList:
    return nn.ParameterList(nn.Parameter(tensor.contiguous()) for tensor in tensors)
