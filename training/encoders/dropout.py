"""Dropout with fewer random numbers than PyTorch's, which draws 64 bits for each value."""

import torch
from torch import nn

BITS = 16  # per value, so the share that is dropped is exact to 2 ** -17


class Dropout(nn.Dropout):
    """nn.Dropout, in less time on a CPU, where its random numbers take a sixth of a training step."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Any shape -> the same shape."""
        if not self.training or not 0.0 < self.p < 1.0 or input.device.type != "cpu":
            return super().forward(input)
        return input * _kept(input.shape, self.p).to(input.dtype).mul_(1 / (1 - self.p))


def _kept(shape: torch.Size, share: float) -> torch.Tensor:
    """Returns a bool tensor of this shape, False for a random `share` of its values."""
    values = shape.numel()
    whole = torch.empty(-(-values * BITS // 64), dtype=torch.int64).random_(-(2**63), None)
    bits = whole.view(torch.int16)[:values]
    return (bits >= round(share * 2**BITS) - 2 ** (BITS - 1)).view(shape)
