"""Where the tokens of a padded batch lie, so that matrices need not see its padding."""

from dataclasses import dataclass

import torch


def seen_positions(mask: torch.Tensor) -> torch.Tensor:
    """mask: as `additive_mask` makes it, float32 [B, 1, 1, T] -> bool [B, T], false at padding."""
    return mask[:, 0, 0, :] == 0


@dataclass(frozen=True)
class Packing:
    """Where the N tokens of a batch lie in its B rows of T.

    position_of: of each token, its place b * T + t, int64 [N]. token_at: at each place, its token, int64 [B, T]; at
    padding the token before it.
    """

    position_of: torch.Tensor
    token_at: torch.Tensor

    @classmethod
    def of(cls, mask: torch.Tensor) -> "Packing":
        """mask: as `additive_mask` makes it, float32 [B, 1, 1, T]."""
        seen = seen_positions(mask)
        # No row is without a token, whatever a caller says of it: what is looked up is there.
        is_token = (seen | (torch.arange(seen.shape[1]) == 0)).reshape(-1)
        numbers = is_token.to(torch.int64).cumsum(0) - 1
        return cls(is_token.nonzero()[:, 0], numbers.reshape(seen.shape))

    def pack(self, rows: torch.Tensor) -> torch.Tensor:
        """[B, T, H] -> the tokens alone, [1, N, H]: a product with a matrix remains one of three dimensions."""
        return rows.reshape(1, -1, rows.shape[-1]).index_select(1, self.position_of)

    def unpack(self, tokens: torch.Tensor) -> torch.Tensor:
        """[1, N, H] -> [B, T, H]."""
        places = self.token_at
        return tokens.index_select(1, places.reshape(-1)).reshape(*places.shape, tokens.shape[-1])
