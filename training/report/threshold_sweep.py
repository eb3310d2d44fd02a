"""The mixed selections over a range of thresholds c (paper, Appendix D)."""

from collections.abc import Sequence

from training.selection.mixed import mixed
from training.selection.options import Options
from training.selection.suite import Suite

LARGEST = 5.0  # points per layer
STEPS = 50


def sweep_thresholds(options: Options, thresholds: Sequence[float]) -> list[Suite]:
    """Returns the distinct selections for c = 0, 0.1 .. 5 and `thresholds`, each with the smallest c that makes it."""
    grid = sorted({*thresholds, *(LARGEST * step / STEPS for step in range(STEPS + 1))})
    different: dict[tuple[tuple[str, int], ...], Suite] = {}
    for threshold in grid:
        suite = mixed(options, threshold)
        different.setdefault(tuple((option.role, option.layers) for option in suite.tasks.values()), suite)
    return list(different.values())
