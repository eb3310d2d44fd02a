"""BERT's layers in a form for export: they compute what transformers' own do, without padding and what nobody reads.

The matrices, nearly all of the work, see the tokens of a batch one after the other; only attention itself sees rows
that are padded to the longest. (Known from ByteTransformer, https://arxiv.org/abs/2210.03052, which does it on GPUs.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


def seen_places(mask: torch.Tensor) -> torch.Tensor:
    """mask: as `additive_mask` makes it, float32 [B, 1, 1, T] -> bool [B, T], false at padding."""
    return mask[:, 0, 0, :] == 0


@dataclass(frozen=True)
class Places:
    """Where the N tokens of a batch lie in its B rows of T.

    place_of: of each token, its place b * T + t, int64 [N]. token_at: at each place, its token, int64 [B, T]; at
    padding the token before it.
    """

    place_of: torch.Tensor
    token_at: torch.Tensor

    @classmethod
    def of(cls, mask: torch.Tensor) -> "Places":
        """mask: as `additive_mask` makes it, float32 [B, 1, 1, T]."""
        seen = seen_places(mask)
        # No row is without a token, whatever a caller says of it: what is looked up is there.
        is_token = (seen | (torch.arange(seen.shape[1]) == 0)).reshape(-1)
        numbers = is_token.to(torch.int64).cumsum(0) - 1
        return cls(is_token.nonzero()[:, 0], numbers.reshape(seen.shape))

    def unpadded(self, rows: torch.Tensor) -> torch.Tensor:
        """[B, T, H] -> the tokens alone, [1, N, H]: a product with a matrix remains one of three dimensions."""
        return rows.reshape(1, -1, rows.shape[-1]).index_select(1, self.place_of)

    def padded(self, tokens: torch.Tensor) -> torch.Tensor:
        """[1, N, H] -> [B, T, H]."""
        return self._at(self.token_at, tokens)

    def first(self, tokens: torch.Tensor) -> torch.Tensor:
        """[1, N, H] -> each row's first token, [B, 1, H]."""
        return self._at(self.token_at[:, :1], tokens)

    @staticmethod
    def _at(places: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.index_select(1, places.reshape(-1)).reshape(*places.shape, tokens.shape[-1])


class ExportedLayers(nn.Module):
    """Stands for some layers, one above the other: hidden float32 [B, T, H], mask float32 [B, 1, 1, T] -> [B, T, H].

    What stands at padding in the result means nothing. first_only: -> [B, 1, H], the first token alone, which is all
    that BERT's pooler reads; the last layer computes no other.
    """

    def __init__(self, layers: nn.ModuleList, form: type["ExportedLayer"], first_only: bool) -> None:
        super().__init__()
        last = layers[-1]
        self.layers = nn.ModuleList(form(layer, first_only and layer is last) for layer in layers)
        self._first_only = first_only

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        places = Places.of(mask)
        tokens = places.unpadded(hidden)
        for layer in self.layers:
            tokens = layer(tokens, places, mask)
        return tokens if self._first_only else places.padded(tokens)


class ExportedLayer(nn.Module):
    """One layer, with the weights of a BertLayer: tokens [1, N, H] -> [1, N, H], or [B, 1, H] if first_only."""

    def __init__(self, layer: Any, first_only: bool) -> None:
        super().__init__()
        own = layer.attention.self
        self.heads = int(own.num_attention_heads)
        self.query = own.query if first_only else None
        self.projections = _joined([own.key, own.value] if first_only else [own.query, own.key, own.value])
        self.attention_output = layer.attention.output
        self.intermediate = layer.intermediate
        self.output = layer.output

    def forward(self, tokens: torch.Tensor, places: Places, mask: torch.Tensor) -> torch.Tensor:
        projected = places.padded(self.projections(tokens))
        if self.query is not None:
            first = places.first(tokens)
            key, value = projected.chunk(2, dim=-1)
            return self._feed_forward(first, self._attend(self.query(first), key, value, mask))
        query, key, value = projected.chunk(3, dim=-1)
        return self._feed_forward(tokens, places.unpadded(self._attend(query, key, value, mask)))

    def _feed_forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """All that comes after attention."""
        hidden = self.attention_output(context, hidden)
        return self.output(self.intermediate(hidden), hidden)

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """query [B, Q, H], key and value [B, T, H] -> [B, Q, H].

        Written out: exported from `scaled_dot_product_attention` it is cut into more operators.
        """
        query, key, value = (self._by_head(one) for one in (query, key, value))
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + mask
        return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)

    def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _joined(projections: Sequence[nn.Linear]) -> nn.Linear:
    """One product in place of several of the same tokens."""
    width = sum(one.out_features for one in projections)
    joined = nn.utils.skip_init(nn.Linear, projections[0].in_features, width)  # no weights are drawn to be replaced
    joined.weight = nn.Parameter(torch.cat([one.weight.detach() for one in projections]))
    joined.bias = nn.Parameter(torch.cat([one.bias.detach() for one in projections]))
    return joined
