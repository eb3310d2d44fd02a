"""An encoder's layers in a form for export. They compute the same as in training, but no padding.

The matrix products, nearly all of the work, run on the tokens of a batch packed one after the other. Only attention
itself runs on padded rows. (ByteTransformer, https://arxiv.org/abs/2210.03052, does the same on GPUs.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from build_tools.export.first_token_attention import FirstTokenAttention
from build_tools.export.first_token_rotary_attention import FirstTokenRotaryAttention
from build_tools.export.packing import Packing
from training.encoders.layer import Layer
from training.encoders.positions import distances, local_mask, rotated, turns

# {the base of rotary positions: cosines and sines, both [T, D / 2]}
Turns = dict[float, tuple[torch.Tensor, torch.Tensor]]


class Attention(nn.Module):
    """Attention of all tokens, with the weights of a Layer: tokens [1, N, H] -> context [1, N, H]."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        own = layer.attention
        self.heads, self.most_tokens = own.heads, own.most_tokens
        self.head_width = own.query.out_features // own.heads
        self.window, self.rotary_base = own.window, own.rotary_base
        self.norm = own.norm
        self.projections = _joined([own.query, own.key, own.value])
        self.bias = None if own.position_bias is None else nn.Parameter(own.bias_of_distances().detach().contiguous())

    def forward(self, tokens: torch.Tensor, packing: Packing, mask: torch.Tensor, turns: Turns) -> torch.Tensor:
        if self.norm is not None:
            tokens = self.norm(tokens)
        query, key, value = packing.unpack(self.projections(tokens)).chunk(3, dim=-1)
        if self.rotary_base:
            query, key = (self._rotated(rows, *turns[self.rotary_base]) for rows in (query, key))
        return packing.pack(self._attend(query, key, value, mask))

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """All [B, T, H] -> [B, T, H].

        Written out, because `scaled_dot_product_attention` is exported as more operators.
        """
        query, key, value = (self._by_head(one) for one in (query, key, value))
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + self._mask(mask)
        return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)

    def _mask(self, mask: torch.Tensor) -> torch.Tensor:
        """What is added to the scores. mask: float32 [B, 1, 1, T]."""
        if self.window:
            mask = local_mask(mask, self.window)
        return mask if self.bias is None else mask + self._relative_bias(mask.shape[3])

    def _relative_bias(self, length: int) -> torch.Tensor:
        """What relative positions add to the scores, float32 [1, heads, T, T]."""
        assert self.bias is not None
        places = distances(length, self.most_tokens).reshape(-1)
        return self.bias.index_select(1, places).reshape(1, self.heads, length, length)

    def _rotated(self, rows: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
        return rotated(self._by_head(rows), cosines, sines).transpose(1, 2).flatten(2)

    def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.unflatten(2, (self.heads, -1)).transpose(1, 2)


@dataclass(frozen=True)
class Form:
    """What makes the two parts of a layer in the form that suits a runtime best.

    after_attention: Layer -> (hidden, context) -> hidden, all [B, T, H].
    """

    attention: type[Attention]
    after_attention: Callable[[Layer], nn.Module]


PLAIN = Form(Attention, lambda layer: layer.after_attention)


class ExportedLayers(nn.Module):
    """Replaces consecutive layers: hidden float32 [B, T, H], mask float32 [B, 1, 1, T] -> [B, T, H].

    The result has arbitrary values at padding. first_only: returns [B, 1, H], the first token alone, which is all that
    a pooler reads; the last layer then computes only that token.
    """

    def __init__(self, given: nn.ModuleList, form: Form, first_only: bool) -> None:
        """given: the Layers."""
        super().__init__()
        layers = cast(list[Layer], list(given))
        whole = layers[:-1] if first_only else layers
        self.attentions = nn.ModuleList(form.attention(layer) for layer in whole)
        self.first_attention = first_attention(layers[-1]) if first_only else None
        self.after_attentions = nn.ModuleList(form.after_attention(layer) for layer in layers)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if len(self.attentions):
            packing = Packing.of(mask)
            turns = self._turns(hidden.shape[1])
            tokens = packing.pack(hidden)
            for attention, after_attention in zip(self.attentions, self.after_attentions, strict=False):
                tokens = after_attention(tokens, attention(tokens, packing, mask, turns))
            hidden = packing.unpack(tokens)
        if self.first_attention is None:
            return hidden
        return self.after_attentions[-1](hidden[:, :1], self.first_attention(hidden, mask))

    def _turns(self, length: int) -> Turns:
        """Of all layers, each base once: a graph holds what they are computed from."""
        layers = cast(list[Attention], list(self.attentions))
        needed = {one.rotary_base: (one.head_width, one.most_tokens) for one in layers if one.rotary_base}
        found = {base: turns(base, *of) for base, of in needed.items()}
        return {base: (cosines[:length], sines[:length]) for base, (cosines, sines) in found.items()}


def first_attention(layer: Layer) -> nn.Module:
    """Attention of the first token alone: (hidden [B, T, H], mask [B, 1, 1, T]) -> context [B, 1, H]."""
    return FirstTokenRotaryAttention(layer) if layer.attention.rotary_base else FirstTokenAttention(layer)


def _joined(projections: Sequence[nn.Linear]) -> nn.Linear:
    """One linear layer that replaces several with the same input."""
    width = sum(one.out_features for one in projections)
    has_bias = projections[0].bias is not None
    # Without random weights.
    joined = nn.utils.skip_init(nn.Linear, projections[0].in_features, width, bias=has_bias)
    joined.weight = nn.Parameter(torch.cat([one.weight.detach() for one in projections]))
    if has_bias:
        joined.bias = nn.Parameter(torch.cat([one.bias.detach() for one in projections]))
    return joined
