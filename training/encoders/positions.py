"""How attention knows where tokens stand, where the embeddings do not say it: relative, rotary and local positions.

All of it follows from a layer's own weights and the length of the batch, so that a trunk hands its branches nothing but
hidden states and the mask.
"""

from functools import lru_cache

import torch

BUCKETS = 32  # of relative positions
_FARTHEST = 128  # distances from here on share the last bucket
_LOWEST = torch.finfo(torch.float32).min


@lru_cache
def buckets_of_distances(most: int) -> torch.Tensor:
    """The bucket of each distance from -(most - 1) to most - 1 (key minus query), int64 [2 * most - 1].

    Half of the buckets are for keys behind the query. In each half small distances have a bucket of their own, and
    larger ones share buckets that grow with the logarithm (T5, https://arxiv.org/abs/1910.10683, section 2.1; so does
    MPNet). A table, because the logarithms of two runtimes may round to different buckets.
    """
    distance = torch.arange(most - 1, -most, -1)  # query minus key, as the formula counts
    half = BUCKETS // 2
    exact = half // 2
    far = distance.abs()
    step = torch.log(far.clamp(min=1).float() / exact) / torch.log(torch.tensor(_FARTHEST / exact)) * (half - exact)
    bucket = torch.where(far < exact, far, (exact + step.to(torch.int64)).clamp(max=half - 1))
    return bucket + (distance < 0) * half


def distances(length: int, most: int) -> torch.Tensor:
    """int64 [T, T]: at query i and key j the place of their distance in a table of all 2 * most - 1 distances."""
    places = torch.arange(length)
    return places[None, :] - places[:, None] + (most - 1)


def turns(base: float, width: int, most: int, device: torch.device | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, both [most, width / 2], by which heads of that width turn at each of `most` positions.

    In a graph `most` is a fixed number, so that they are constants: a graph in bf16 would compute the angles in bf16,
    where beyond 256 not even all whole numbers exist.
    """
    speeds = 1.0 / base ** (torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.arange(most, device=device, dtype=torch.float32)[:, None] * speeds
    return angles.cos(), angles.sin()


def rotated(rows: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Turns queries or keys, [B, heads, T, D], by angles that grow with the position (https://arxiv.org/abs/2104.09864).

    The first half of the D columns is paired with the second, as in GPT-NeoX. cosines, sines: of `turns`, [T, D / 2].
    """
    first, second = rows.float().chunk(2, dim=-1)
    turned = torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)
    return turned.to(rows.dtype)


def near(length: int, window: int, device: torch.device | None = None) -> torch.Tensor:
    """bool [T, T]: whether query i and key j are at most `window` apart."""
    places = torch.arange(length, device=device)
    return (places[None, :] - places[:, None]).abs() <= window


def local_mask(mask: torch.Tensor, window: int) -> torch.Tensor:
    """mask float32 [B, 1, 1, T] -> [B, 1, T, T], to add to the scores of a layer with local attention.

    Each token sees itself. So does padding: far from the text all its scores would else be infinitely low.
    """
    length = mask.shape[-1]
    both = torch.where(near(length, window, mask.device), mask, _LOWEST)
    return both.masked_fill(torch.eye(length, dtype=torch.bool, device=mask.device), 0.0)
