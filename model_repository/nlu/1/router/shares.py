"""What each part of a call has cost: its seconds, shared by the layers that were computed."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from router.registry import Version
from router.trunk import Reached


class Shares(NamedTuple):
    """Seconds of the trunk's layers, and of each version's own."""

    trunk: float
    branches: Mapping[Version, float]


def shares(seconds: float, reached: Reached, start: int | None, layers: Callable[[Version], int]) -> Shares:
    """Shares the seconds of a call that has reached this. start: the tap from which it went on.

    A layer counts once for each sequence. layers: of a version's branch.
    """
    trunk = sum(tap - (start or 0) for tap in reached.depths.values())
    branches = {version: layers(version) * len(logits.places) for version, logits in reached.logits.items()}
    of_one = seconds / max(1, trunk + sum(branches.values()))
    return Shares(of_one * trunk, {version: of_one * computed for version, computed in branches.items()})
