"""BERT's layers in a form for export. They compute the same as those of transformers, but no padding.

The matrix products, nearly all of the work, run on the tokens of a batch packed one after the other. Only attention
itself runs on padded rows. (ByteTransformer, https://arxiv.org/abs/2210.03052, does the same on GPUs.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from build_tools.export.first_token_attention import FirstTokenAttention
from build_tools.export.packing import Packing


class Attention(nn.Module):
    """Attention of all tokens, with the weights of a BertLayer: tokens [1, N, H] -> context [1, N, H]."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        own = layer.attention.self
        self.heads = int(own.num_attention_heads)
        self.projections = _joined([own.query, own.key, own.value])

    def forward(self, tokens: torch.Tensor, packing: Packing, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = packing.unpack(self.projections(tokens)).chunk(3, dim=-1)
        return packing.pack(self._attend(query, key, value, mask))

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """All [B, T, H] -> [B, T, H].

        Written out, because `scaled_dot_product_attention` is exported as more operators.
        """
        query, key, value = (self._by_head(one) for one in (query, key, value))
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + mask
        return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)

    def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.unflatten(2, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """The rest of a BertLayer, after attention: hidden and context [B, T, H] -> [B, T, H]."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.attention_output = layer.attention.output
        self.intermediate = layer.intermediate
        self.output = layer.output

    def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        hidden = self.attention_output(context, hidden)
        return self.output(self.intermediate(hidden), hidden)


@dataclass(frozen=True)
class Form:
    """The classes for the two parts of a layer that suit a runtime best."""

    attention: type[Attention]
    feed_forward: type[FeedForward]


PLAIN = Form(Attention, FeedForward)


class ExportedLayers(nn.Module):
    """Replaces consecutive layers: hidden float32 [B, T, H], mask float32 [B, 1, 1, T] -> [B, T, H].

    The result has arbitrary values at padding. first_only: returns [B, 1, H], the first token alone, which is all that
    BERT's pooler reads; the last layer then computes only that token.
    """

    def __init__(self, layers: Iterable[nn.Module], form: Form, first_only: bool) -> None:
        super().__init__()
        layers = list(layers)
        whole = layers[:-1] if first_only else layers
        self.attentions = nn.ModuleList(form.attention(layer) for layer in whole)
        self.first_attention = FirstTokenAttention(layers[-1]) if first_only else None
        self.feed_forwards = nn.ModuleList(form.feed_forward(layer) for layer in layers)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if len(self.attentions):
            packing = Packing.of(mask)
            tokens = packing.pack(hidden)
            for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=False):
                tokens = feed_forward(tokens, attention(tokens, packing, mask))
            hidden = packing.unpack(tokens)
        if self.first_attention is None:
            return hidden
        return self.feed_forwards[-1](hidden[:, :1], self.first_attention(hidden, mask))


def _joined(projections: Sequence[nn.Linear]) -> nn.Linear:
    """One linear layer that replaces several with the same input."""
    width = sum(one.out_features for one in projections)
    joined = nn.utils.skip_init(nn.Linear, projections[0].in_features, width)  # without random weights
    joined.weight = nn.Parameter(torch.cat([one.weight.detach() for one in projections]))
    joined.bias = nn.Parameter(torch.cat([one.bias.detach() for one in projections]))
    return joined
