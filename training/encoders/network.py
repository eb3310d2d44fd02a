"""A whole encoder: embeddings and layers, and what a head reads the last layer through."""

import torch
from torch import nn

from training.encoders.architecture import Architecture
from training.encoders.attention import new_norm
from training.encoders.dropout import Dropout
from training.encoders.layer import Layer


class Embeddings(nn.Module):
    """Token ids -> the hidden states that the first layer reads."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width = architecture.embedding_size or architecture.hidden_size
        types = architecture.type_vocab_size
        self.words = nn.Embedding(architecture.vocab_size, width)
        self.positions = (
            nn.Embedding(architecture.max_position_embeddings, width) if architecture.position_table else None
        )
        self.token_types = nn.Embedding(types, width) if types else None
        self.norm = new_norm(architecture, width)
        self.projection = nn.Linear(width, architecture.hidden_size) if architecture.embedding_size else None
        self.dropout = Dropout(architecture.hidden_dropout_prob)

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        """Both int64 [B, T] -> float32 [B, T, H]."""
        hidden = self.words(input_ids)
        if self.token_types is not None:
            hidden = hidden + self.token_types(token_type_ids)
        if self.positions is not None:
            hidden = hidden + self.positions(torch.arange(input_ids.shape[1], device=input_ids.device))
        hidden = self.dropout(self.norm(hidden))
        return hidden if self.projection is None else self.projection(hidden)


class Network(nn.Module):
    """An encoder of N layers.

    norm: follows the last layer where layers normalize their inputs, else None. pooler: None if the encoder has none.
    """

    def __init__(self, architecture: Architecture, layers: int, has_pooler: bool) -> None:
        super().__init__()
        self.architecture = architecture
        self.embeddings = Embeddings(architecture)
        self.layers = nn.ModuleList(Layer(architecture, number) for number in range(layers))
        self.norm = new_norm(architecture) if architecture.norm_first else None
        self.pooler = nn.Linear(architecture.hidden_size, architecture.hidden_size) if has_pooler else None
