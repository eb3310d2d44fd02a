"""What a request to a trunk or a branch must hold, checked before a runtime sees it.

A runtime does not judge its inputs: OpenVINO reads beyond a table of embeddings, broadcasts a mask of another number of
rows, and keeps shapes of a request at which it failed (openvino_segment.py).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# 512 sequences of 512 tokens. A router's batch has at most 64 texts, each in a few forms.
MOST_TOKENS = 2**18

_TYPES = {"TYPE_INT64": np.int64, "TYPE_FP32": np.float32, "TYPE_BOOL": np.bool_}
_MASK = "attention_mask"
# Names in the config's parameters, which build_tools/repository/triton_config.py writes for trunks.
_MOST_TOKENS_OF_ONE, _BELOW = "most_tokens", "_below"


class RefusedRequestError(ValueError):
    """A request cannot be computed. The message is for its caller."""


class RequestCheck:
    """Checks the tensors of requests to one model.

    In all inputs, sizes that the config leaves open (-1) must agree at the same place: the first is the number of
    sequences, the second their padded length T.
    """

    def __init__(self, inputs: Sequence[Mapping[str, Any]], parameters: Mapping[str, str], version: Path) -> None:
        """inputs, parameters: of the config. version: the folder of the graph, for a branch with branch.json."""
        self._types = {one["name"]: _TYPES[one["data_type"]] for one in inputs}
        self._dims = {one["name"]: [int(size) for size in one["dims"]] for one in inputs}
        self._below = {
            name.removesuffix(_BELOW): int(value) for name, value in parameters.items() if name.endswith(_BELOW)
        }
        self._below[_MASK] = 2
        self._longest = _longest(parameters, version)

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Raises RefusedRequestError, with one sentence, if they do not fit the model or one another."""
        open_sizes: dict[int, tuple[int, str]] = {}
        for name, array in tensors.items():
            self._check_shape(name, array, open_sizes)
        sizes = {place: size for place, (size, _) in open_sizes.items()}
        if sizes.get(1, 1) > self._longest:
            raise RefusedRequestError(f"{sizes[1]} tokens are too many: the model takes {self._longest}")
        if sizes.get(0, 1) * sizes.get(1, 1) > MOST_TOKENS:
            raise RefusedRequestError(
                f"{sizes[0]} sequences of {sizes.get(1, 1)} tokens are too many: give at most {MOST_TOKENS} tokens"
            )
        for name, below in self._below.items():
            if name in tensors:
                _check_range(name, tensors[name], below)

    def _check_shape(self, name: str, array: np.ndarray, open_sizes: dict[int, tuple[int, str]]) -> None:
        dims, expected = self._dims[name], self._types[name]
        if array.dtype != expected:
            raise RefusedRequestError(f"{name} is {array.dtype}: give {np.dtype(expected)}")
        wrong = array.ndim != len(dims) or any(
            size not in (-1, got) for size, got in zip(dims, array.shape, strict=True)
        )
        if wrong:
            raise RefusedRequestError(f"{name} has the shape {list(array.shape)}: give {dims}, where -1 is any size")
        for place, size in enumerate(array.shape):
            if size == 0:
                raise RefusedRequestError(f"{name} has the shape {list(array.shape)}: give at least one token")
            if dims[place] == -1:
                agreed, first = open_sizes.setdefault(place, (size, name))
                if size != agreed:
                    raise RefusedRequestError(
                        f"{name} has {size} at place {place} of its shape, {first} has {agreed}: give the same"
                    )


def check_finite(logits: np.ndarray, tensors: Mapping[str, np.ndarray]) -> None:
    """Checks what a branch computed, which is cheaper than to check all hidden states before.

    Raises RefusedRequestError if logits are not finite because a hidden state is not, ArithmeticError if it is the
    graph's own fault.
    """
    if np.isfinite(logits).all():
        return
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise RefusedRequestError(f"{name} holds values that are not finite")
    raise ArithmeticError("the graph computes values that are not finite")


def _longest(parameters: Mapping[str, str], version: Path) -> int:
    """The most tokens of a sequence: the trunk's positions; for a branch those of the encoder that it was cut from."""
    if _MOST_TOKENS_OF_ONE in parameters:
        return int(parameters[_MOST_TOKENS_OF_ONE])
    record = version / "branch.json"
    if record.is_file():
        return int(json.loads(record.read_text(encoding="utf-8"))["encoder"]["config"]["max_position_embeddings"])
    return MOST_TOKENS


def _check_range(name: str, array: np.ndarray, below: int) -> None:
    least, most = int(array.min()), int(array.max())
    if least < 0 or most >= below:
        raise RefusedRequestError(f"{name} holds {least if least < 0 else most}: give values from 0 to {below - 1}")
