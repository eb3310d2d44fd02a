"""The model `tokenizer`: the first step of every ensemble."""

from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from freed_memory import FreedMemory
from step_clock import StepClock
from text_tokenizer import (
    RefusedRequestError,
    TextTokenizer,
    bucket,
    check_not_empty,
    check_size,
    decode_texts,
    is_truncated,
    pad,
)

_REQUEST_SECONDS = 8.0  # that one should take at most: a hundred times what the longest texts do


class TritonPythonModel:
    """Tokenizes the texts of a request and pads them to the next length bucket."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the tokenizer.json beside this file."""
        folder = Path(args["model_repository"], args["model_version"])
        self._tokenizer = TextTokenizer(folder / "tokenizer.json")
        self._freed_memory = FreedMemory()
        self._clock = StepClock()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Returns one response per request: an error for each request that cannot be read, and for no other."""
        responses = []
        for request in requests:
            self._clock.begin(_REQUEST_SECONDS)
            try:
                responses.append(pb_utils.InferenceResponse(self._tensors(request)))
            except RefusedRequestError as error:
                refusal = pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
                responses.append(pb_utils.InferenceResponse(error=refusal))
        self._clock.end()
        return responses

    def _tensors(self, request: Any) -> list[Any]:
        texts = _texts(request, "text") or []
        check_not_empty("text", texts)
        pairs = _texts(request, "pair")
        if pairs is not None:
            check_not_empty("pair", pairs)
            if len(pairs) != len(texts):
                raise RefusedRequestError(f"there are {len(texts)} texts and {len(pairs)} pairs: give one per text.")
        check_size(texts, pairs)
        encodings = self._tokenizer.encode(list(zip(texts, pairs or [None] * len(texts), strict=True)))
        length = bucket(max(len(encoding.ids) for encoding in encodings), self._tokenizer.max_length)
        self._freed_memory.after(sum(len(text) for text in [*texts, *(pairs or [])]))
        arrays = pad(encodings, length)
        offsets = np.zeros((len(encodings), length, 2), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            offsets[row, : len(encoding.offsets)] = encoding.offsets
        arrays["offsets"] = offsets
        arrays["truncated"] = np.array([is_truncated(encoding) for encoding in encodings])
        return [pb_utils.Tensor(name, array) for name, array in arrays.items()]


def _texts(request: Any, name: str) -> list[str] | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else decode_texts(name, tensor.as_numpy())
