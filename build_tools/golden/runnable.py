"""What the parity checks run."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

TOLERANCE = 1e-3  # of a logit, where trunk and branch compute in float32
TIE = 1e-3  # of the range of the golden logits: rounding may change an answer that leads by less, in lower precisions
REGRESSION_TOLERANCE = 0.02  # of the range of the golden values, in lower precisions


class Runnable(Protocol):
    """A graph: loaded in this process, or on a server."""

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> dict[str, np.ndarray]:
        """Returns the outputs in `asked`, and maybe others, by name."""
