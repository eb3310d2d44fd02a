"""A fused graph that computes, for each output, only the rows that ask for it."""

from collections.abc import Collection, Mapping

import numpy as np

from .asked_rows import all_rows, check_asked, part_rows, resumed_tap
from .chain import Segment
from .fused_layout import HIDDEN, FusedLayout, resumed_input

ASKED = "asked"  # bool [S, columns]: which rows want which output (FusedLayout.columns)
_MASK = "attention_mask"


class FusedGraph:
    """A compiled graph that takes the rows of each part as an input (build_tools/compaction/row_selection.py)."""

    def __init__(self, segment: Segment, layout: FusedLayout, hidden_size: int) -> None:
        self._segment, self._layout, self._hidden_size = segment, layout, hidden_size

    def check(self, inputs: Mapping[str, np.ndarray], asked: Collection[str]) -> None:
        """Raises RefusedRequestError, with one sentence, if a request's inputs and outputs do not go together."""
        check_asked(self._layout, self._asked_rows(inputs, asked), asked, resumed_tap(inputs))

    def run(self, inputs: Mapping[str, np.ndarray], asked: Collection[str]) -> dict[str, np.ndarray]:
        """Returns the outputs in `asked`, each with the rows that the input `asked` marks for it, in their order.

        inputs: those of a request that was checked, or some of its rows. attention_mask int64 [S, T], and either
        input_ids and token_type_ids or, to go on from there, the hidden states of all S rows at a tap. Without the
        input `asked` every row wants every output in `asked`.
        """
        resumed, length = resumed_tap(inputs), inputs[_MASK].shape[1]
        feeds = part_rows(self._layout, self._asked_rows(inputs, asked), resumed) | {_MASK: inputs[_MASK]}
        for name in ("input_ids", "token_type_ids"):
            feeds[name] = inputs[name] if resumed is None else np.zeros((0, length), np.int64)
        for tap in self._layout.taps[:-1]:
            given = inputs.get(f"{HIDDEN}{tap}")
            feeds[resumed_input(tap)] = np.zeros((0, length, self._hidden_size), np.float32) if given is None else given
        computed = self._segment(feeds)
        return {name: computed[name] for name in asked}

    def release(self) -> None:
        """Gives back the memory of earlier runs. None may be under way."""
        self._segment.release()

    def _asked_rows(self, inputs: Mapping[str, np.ndarray], asked: Collection[str]) -> np.ndarray:
        return inputs[ASKED] if ASKED in inputs else all_rows(self._layout, asked, len(inputs[_MASK]))
