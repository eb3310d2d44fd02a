"""Columns of texts as KServe v2 input tensors."""

from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
from tritonclient import grpc


def text_tensors(
    columns: Mapping[str, Sequence[str | bytes] | None], shape: tuple[int, ...] = (-1,), protocol: ModuleType = grpc
) -> list[grpc.InferInput]:
    """Returns one BYTES tensor for each column that is not None.

    shape: of each tensor, (-1,) for the ensembles and (-1, 1) for the router. protocol: tritonclient.grpc or .http.
    """
    tensors = []
    for name, values in columns.items():
        if values is not None:
            array = np.array(values, dtype=np.object_).reshape(shape)
            tensors.append(protocol.InferInput(name, list(array.shape), "BYTES"))
            tensors[-1].set_data_from_numpy(array)
    return tensors
