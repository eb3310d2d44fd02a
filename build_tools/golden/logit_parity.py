"""Logit parity: exported graphs compute the logits that PyTorch computed, in the runtime that will serve them."""

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.runnable import TOLERANCE, Runnable


def check_logits(golden: GoldenBatch, trunk: Runnable, branch: Runnable) -> float:
    """Runs the golden examples through trunk and branch in float32. Returns the greatest difference of a logit.

    Raises BuildError, naming task, example and difference, if a logit differs by more than 1e-3.
    """
    logits = golden.logits(golden.hidden(trunk), branch)
    greatest = 0.0
    for number, (expected, computed) in enumerate(zip(golden.expected, logits, strict=True), start=1):
        difference = _difference(expected, computed)
        if not difference <= TOLERANCE:
            raise BuildError(
                f"the graph of {golden.record.task} does not compute what PyTorch did: golden example {number} "
                f"({golden.examples[number - 1].text[:60]!r}) differs by {difference:.2g}; at most {TOLERANCE:g} is "
                "allowed."
            )
        greatest = max(greatest, difference)
    return greatest


def _difference(expected: np.ndarray, computed: np.ndarray) -> float:
    """The greatest difference of a logit; infinite if the shapes differ or a logit is not finite."""
    if expected.shape != computed.shape:
        return float("inf")
    difference = np.abs(expected - computed)
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")
