"""Which rows of a request go through which part of a fused graph."""

from collections.abc import Collection, Mapping

import numpy as np

from .fused_layout import HIDDEN, FusedLayout, rows_input, step_name
from .request_check import RefusedRequestError


def all_rows(layout: FusedLayout, outputs: Collection[str], rows: int) -> np.ndarray:
    """Returns the matrix `asked`, bool [rows, columns], of a request that has none: all rows of its outputs."""
    return np.tile([name in outputs for name in layout.columns], (rows, 1))


def check_asked(layout: FusedLayout, asked: np.ndarray, outputs: Collection[str], resumed: int | None) -> None:
    """Raises RefusedRequestError, with one sentence, if `asked` does not fit the outputs or the tap that was given."""
    for (name, tap), column in zip(layout.columns.items(), asked.T, strict=True):
        if name in outputs and not column.any():
            raise RefusedRequestError(
                f"no row asks for {name}: leave it out of the outputs, or set its column of asked"
            )
        if name not in outputs and column.any():
            raise RefusedRequestError(f"a row asks for {name}, which is not among the outputs that were requested")
        if resumed is not None and tap <= resumed and column.any():
            raise RefusedRequestError(f"{name} lies at tap {tap}, not above hidden_{resumed} from which to go on")


def part_rows(layout: FusedLayout, asked: np.ndarray, resumed: int | None) -> dict[str, np.ndarray]:
    """Returns {input of the graph: int64 [n]} for every `rows_input` (fused_layout.py).

    asked: bool [S, columns], checked. resumed: the tap whose hidden states the request gives for all its rows.
    """
    needs = np.array(list(layout.columns.values()))
    feeds: dict[str, np.ndarray] = {}
    at: dict[int, np.ndarray] = {}  # {tap: the rows that reach it}
    present = np.arange(len(asked))  # the rows among which the next step chooses
    for tap in layout.taps:
        if resumed is not None and tap <= resumed:
            at[tap] = np.arange(0)
        else:
            at[tap] = np.flatnonzero(asked[:, needs >= tap].any(axis=1))
        feeds[rows_input(step_name(tap))] = np.searchsorted(present, at[tap])
        present = np.arange(len(asked)) if tap == resumed else at[tap]
    for (output, tap), column in zip(layout.columns.items(), asked.T, strict=True):
        feeds[rows_input(output)] = np.searchsorted(at[tap], np.flatnonzero(column))
    return feeds


def resumed_tap(tensors: Mapping[str, np.ndarray]) -> int | None:
    """Returns the tap whose hidden states the request gives; None if it gives token ids.

    Raises RefusedRequestError if it gives neither, both, or the hidden states of several taps.
    """
    given = [name for name in tensors if name.startswith(HIDDEN)]
    ids = [name for name in ("input_ids", "token_type_ids") if name in tensors]
    if (len(given), len(ids)) not in ((0, 2), (1, 0)):
        raise RefusedRequestError(
            f"the inputs are {', '.join(tensors)}: give attention_mask with input_ids and token_type_ids, or with the "
            "hidden states of one tap"
        )
    return int(given[0].removeprefix(HIDDEN)) if given else None
