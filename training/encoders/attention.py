"""A layer's attention, up to its context."""

import torch
from torch import nn

from training.encoders.architecture import Architecture
from training.encoders.dropout import Dropout
from training.encoders.positions import buckets_of_distances, distances, local_mask, rotated, turns


class Attention(nn.Module):
    """Multi-head attention without its last projection.

    norm: of what it reads; None if the layer below has normalized it.
    position_bias: a table [buckets, heads] of what relative positions add to the scores; None without it.
    window: how many tokens to each side a token sees; 0: all. rotary_base: 0 without rotary positions.
    """

    def __init__(self, architecture: Architecture, number: int) -> None:
        """number: of the layer in the encoder, from 0."""
        super().__init__()
        width, bias = architecture.hidden_size, architecture.attention_bias
        self.heads = architecture.num_attention_heads
        self.most_tokens = architecture.max_position_embeddings
        self.window = architecture.window(number)
        self.rotary_base = architecture.rotary_base(number)
        self.dropout = Dropout(architecture.attention_probs_dropout_prob)  # of the weights of attention
        self.norm = new_norm(architecture) if architecture.normalizes_input(number) else None
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, width, bias=bias)
        self.value = nn.Linear(width, width, bias=bias)
        buckets = architecture.position_buckets
        self.position_bias = nn.Embedding(buckets, self.heads) if buckets else None

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """hidden float32 [B, T, H], mask float32 [B, 1, 1, T] -> context [B, T, H]."""
        if self.norm is not None:
            hidden = self.norm(hidden)
        query, key, value = (
            projection(hidden).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        length = hidden.shape[1]
        if self.rotary_base:
            cosines, sines = turns(self.rotary_base, query.shape[-1], length, hidden.device)
            query, key = (rotated(rows, cosines, sines) for rows in (query, key))
        if self.window and length > self.window + 1:
            mask = local_mask(mask, self.window)
        if self.position_bias is not None:
            mask = mask + self.bias_of_distances()[:, distances(length, self.most_tokens)]
        return self._context(query, key, value, mask).transpose(1, 2).flatten(2)

    def _context(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """query, key, value: [B, heads, T, H / heads]; mask as of `forward` -> context, of the same shape as value."""
        dropout = self.dropout.p if self.training else 0.0
        if dropout and query.device.type == "cpu":  # what PyTorch computes here, with faster dropout
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2) + mask
            return self.dropout(scores.softmax(-1)).to(value.dtype) @ value
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)

    def bias_of_distances(self) -> torch.Tensor:
        """What each distance adds to the scores, float32 [heads, 2 * most_tokens - 1]; see `distances`."""
        assert self.position_bias is not None
        table = self.position_bias.weight
        return table[buckets_of_distances(self.most_tokens).to(table.device)].T


def new_norm(architecture: Architecture, width: int | None = None) -> nn.LayerNorm:
    """A layer norm of the architecture, of its hidden size unless a width is given."""
    return nn.LayerNorm(width or architecture.hidden_size, eps=architecture.layer_norm_eps, bias=architecture.norm_bias)
