"""Compiled segments that run one after another, only as far as the outputs that were asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np


class Segment(Protocol):
    """A compiled part of a model."""

    @property
    def outputs(self) -> Sequence[str]:
        """The names of the tensors that it computes."""

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes all of `outputs`. `tensors` may hold more than the segment reads."""

    def release(self) -> None:
        """Gives back the memory of earlier computations. None may be under way."""


class Chain:
    """Segments in order. Each reads the model's inputs and the outputs of the segments before it."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._segments = list(segments)

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> dict[str, np.ndarray]:
        """Returns the outputs in `asked`, and all others that were computed on the way to them.

        If `inputs` holds an output, the chain continues from there: the segments below it do not run.
        """
        asked = set(asked)
        computed: dict[str, np.ndarray] = {}
        for segment in self._segments[self._start(inputs) :]:
            if asked <= computed.keys():
                break
            computed |= segment({**inputs, **computed})
        return computed

    def release(self) -> None:
        """Gives back the memory of earlier runs. None may be under way."""
        for segment in self._segments:
            segment.release()

    def _start(self, inputs: Mapping[str, np.ndarray]) -> int:
        """The number of the first segment to run: the one above the highest output among `inputs`."""
        given = [number for number, segment in enumerate(self._segments, 1) if inputs.keys() & set(segment.outputs)]
        return max(given, default=0)
