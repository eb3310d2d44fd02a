"""Run compiled segments one after another, no further than what is asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np


class Segment(Protocol):
    """A compiled part of a model; it picks what it reads from the tensors it is given."""

    @property
    def outputs(self) -> Sequence[str]:
        """Names of what it computes."""

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all of `outputs`; `tensors` may hold more than the segment reads."""


class Chain:
    """Segments in order, each reading the model's inputs and what the segments before it computed."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._segments = list(segments)

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> dict[str, np.ndarray]:
        """Everything computed on the way to the outputs in `asked`: these, and any output below them.

        An output among `inputs` is where the chain goes on from: what lies below it is not computed again.
        """
        asked = set(asked)
        computed: dict[str, np.ndarray] = {}
        for segment in self._segments[self._start(inputs) :]:
            if asked <= computed.keys():
                break
            computed |= segment({**inputs, **computed})
        return computed

    def _start(self, inputs: Mapping[str, np.ndarray]) -> int:
        """The number of the first segment above the outputs among `inputs`."""
        given = [number for number, segment in enumerate(self._segments, 1) if inputs.keys() & set(segment.outputs)]
        return max(given, default=0)
