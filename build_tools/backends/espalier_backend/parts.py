"""Cuts a request's sequences into parts that are computed one after another.

A process keeps the memory that its largest call took, in the runtime's buffers. Far fewer tokens than 64 long texts
have keep all cores busy.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from .fused_graph import ASKED

_MOST_TOKENS = 2048  # of a part, padding included; as many as a router sends in one call


def parts(tensors: Mapping[str, np.ndarray]) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """Yields (the tensors of some sequences, how many tokens they have), in order. The arrays are views.

    The shape of each tensor but `asked` begins with [sequences, tokens], as RequestCheck has seen. A sequence that is
    longer than a part may be is a part of its own.
    """
    rows = max(len(array) for array in tensors.values())
    length = max((array.shape[1] for name, array in tensors.items() if array.ndim > 1 and name != ASKED), default=1)
    size = max(1, _MOST_TOKENS // length)
    for begin in range(0, rows, size):
        part = {name: array[begin : begin + size] for name, array in tensors.items()}
        yield part, min(size, rows - begin) * length
