"""Parity in fp16: besides the same answers, logits that rounding explains. An error in a graph is seen so."""

from collections.abc import Sequence

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.runnable import Runnable

BOUND = 0.02  # of the range of the task's golden logits


def check_near(golden: GoldenBatch, trunk: Runnable, branch: Runnable) -> None:
    """Runs the golden examples through trunk and branch. Raises BuildError if a logit is too far off."""
    difference = too_far(golden, golden.logits(golden.hidden(trunk), branch))
    if difference is not None:
        raise BuildError(difference)


def too_far(golden: GoldenBatch, logits: Sequence[np.ndarray]) -> str | None:
    """Describes the golden example whose logits are farthest off, if that is more than 2 % of the golden logits' range.

    logits: of each example, as GoldenBatch.logits returns them.
    """
    bound = BOUND * float(np.ptp(np.concatenate([one.reshape(-1) for one in golden.expected])))
    off = [float(np.abs(before - after).max()) for before, after in zip(golden.expected, logits, strict=True)]
    farthest = int(np.argmax(off))
    if off[farthest] <= bound:
        return None
    return (
        f"golden example {farthest + 1} ({golden.examples[farthest].text[:60]!r}): a logit differs by "
        f"{off[farthest]:.2g}; in fp16 at most {bound:.2g} is allowed"
    )
