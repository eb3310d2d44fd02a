"""Packing: the tokens of a padded batch one after the other, so that matrix products skip the padding."""

from dataclasses import dataclass

import torch


def seen_positions(mask: torch.Tensor) -> torch.Tensor:
    """mask float32 [B, 1, 1, T], as `additive_mask` makes it -> bool [B, T], false at padding."""
    return mask[:, 0, 0, :] == 0


@dataclass(frozen=True)
class Packing:
    """The positions of a batch's N tokens in its B rows of length T.

    position_of: the position b * T + t of each token, int64 [N]. token_at: the number of the token at each position,
    int64 [B, T]; at padding, that of the token before it.
    """

    position_of: torch.Tensor
    token_at: torch.Tensor

    @classmethod
    def of(cls, mask: torch.Tensor) -> "Packing":
        """Reads the positions from a mask float32 [B, 1, 1, T], as `additive_mask` makes it."""
        seen = seen_positions(mask)
        # The first position always counts as a token, so that lookups work for a row whose mask is all padding.
        is_token = (seen | (torch.arange(seen.shape[1]) == 0)).reshape(-1)
        numbers = is_token.to(torch.int64).cumsum(0) - 1
        return cls(is_token.nonzero()[:, 0], numbers.reshape(seen.shape))

    def pack(self, rows: torch.Tensor) -> torch.Tensor:
        """[B, T, H] -> the tokens alone, [1, N, H], which keeps products with a matrix three-dimensional."""
        return rows.reshape(1, -1, rows.shape[-1]).index_select(1, self.position_of)

    def unpack(self, tokens: torch.Tensor) -> torch.Tensor:
        """[1, N, H] -> [B, T, H]."""
        return tokens.index_select(1, self.token_at.reshape(-1)).reshape(*self.token_at.shape, tokens.shape[-1])
