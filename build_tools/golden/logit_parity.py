"""Logit parity: an exported graph computes what PyTorch computed, in the runtime that will serve it."""

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch, Runnable
from training.checkpoint import Checkpoint

TOLERANCE = 1e-3  # of a logit, float32


def check_logits(checkpoint: Checkpoint, trunk: Runnable, branch: Runnable) -> float:
    """Runs the golden examples through the exported trunk and branch in float32, as one padded batch.

    Returns the greatest difference of a logit. Raises BuildError, naming task, example and difference, where a logit
    differs by more than 1e-3.
    """
    batch = GoldenBatch(checkpoint)
    logits = batch.logits(batch.hidden(trunk), branch)
    greatest = 0.0
    for number, (expected, computed) in enumerate(zip(batch.expected, logits, strict=True), start=1):
        difference = _difference(expected, computed)
        if not difference <= TOLERANCE:
            raise BuildError(
                f"the graph of {checkpoint.record.task} does not compute what PyTorch did: golden example {number} "
                f"({batch.examples[number - 1].text[:60]!r}) differs by {difference:.2g}, allowed are {TOLERANCE:g}."
            )
        greatest = max(greatest, difference)
    return greatest


def _difference(expected: np.ndarray, computed: np.ndarray) -> float:
    """The greatest difference of a logit; infinite if the shapes differ or a logit is no number."""
    if expected.shape != computed.shape:
        return float("inf")
    difference = np.abs(expected - computed)
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")
