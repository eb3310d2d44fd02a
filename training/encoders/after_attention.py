"""The rest of a layer, after attention: its last projection and the feed-forward part, each added to what it read."""

import torch
from torch import nn

from training.encoders.activations import ACTIVATIONS
from training.encoders.architecture import Architecture
from training.encoders.attention import new_norm
from training.encoders.dropout import Dropout


class AfterAttention(nn.Module):
    """Normalizes each sum, as BERT does."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, inner, bias = architecture.hidden_size, architecture.intermediate_size, architecture.feed_forward_bias
        self.attention_output = nn.Linear(width, width, bias=architecture.attention_bias)
        self.attention_norm = new_norm(architecture)
        self.inner = nn.Linear(width, inner, bias=bias)
        self.gate = nn.Linear(width, inner, bias=bias) if architecture.gated else None
        self.activation = ACTIVATIONS[architecture.hidden_act]()
        self.outer = nn.Linear(inner, width, bias=bias)
        self.outer_norm = new_norm(architecture)
        self.dropout = Dropout(architecture.hidden_dropout_prob)

    def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """hidden: what the layer read, and attention's context of it, both [B, T, H] -> [B, T, H]."""
        hidden = self.attention_norm(self.dropout(self.attention_output(context)) + hidden)
        return self.outer_norm(self.dropout(self.outer(self.activated(hidden))) + hidden)

    def activated(self, hidden: torch.Tensor) -> torch.Tensor:
        """[B, T, H] -> what the outer projection reads, [B, T, I]."""
        activated = self.activation(self.inner(hidden))
        return activated if self.gate is None else activated * self.gate(hidden)


class NormFirstAfterAttention(AfterAttention):
    """Normalizes what the feed-forward part reads, and neither sum."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        del self.attention_norm, self.outer_norm
        self.inner_norm = new_norm(architecture)

    def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        hidden = self.dropout(self.attention_output(context)) + hidden
        return self.dropout(self.outer(self.activated(self.inner_norm(hidden)))) + hidden
