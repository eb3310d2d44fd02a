"""One layer of an encoder, of whatever family."""

import torch
from torch import nn

from training.encoders.after_attention import AfterAttention, NormFirstAfterAttention
from training.encoders.architecture import Architecture
from training.encoders.attention import Attention


class Layer(nn.Module):
    """Attention, and what follows it."""

    def __init__(self, architecture: Architecture, number: int) -> None:
        """number: of the layer in the encoder, from 0. In some families it decides what the layer computes."""
        super().__init__()
        self.attention = Attention(architecture, number)
        form = NormFirstAfterAttention if architecture.norm_first else AfterAttention
        self.after_attention = form(architecture)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """hidden float32 [B, T, H], mask float32 [B, 1, 1, T], to add to scores -> [B, T, H]."""
        return self.after_attention(hidden, self.attention(hidden, mask))
