"""The model `tokenizer`: the first step of every ensemble."""

from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from text_tokenizer import TextTokenizer, bucket, is_truncated, pad


class TritonPythonModel:
    """Tokenizes the texts of a request and pads them to the next length bucket."""

    def initialize(self, args):
        """Loads tokenizer.json, which lies beside this file."""
        folder = Path(args["model_repository"], args["model_version"])
        self._tokenizer = TextTokenizer(folder / "tokenizer.json")

    def execute(self, requests):
        """One response per request; a request that cannot be read gets an error of its own."""
        responses = []
        for request in requests:
            try:
                responses.append(pb_utils.InferenceResponse(self._tensors(request)))
            except ValueError as error:
                refusal = pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
                responses.append(pb_utils.InferenceResponse(error=refusal))
        return responses

    def _tensors(self, request):
        texts = _strings(request, "text")
        for row, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"text {row} is empty: give at least one word.")
        pairs = _strings(request, "pair")
        if pairs is not None and len(pairs) != len(texts):
            raise ValueError(f"there are {len(texts)} texts and {len(pairs)} pairs: give one pair per text.")
        encodings = self._tokenizer.encode(list(zip(texts, pairs or [None] * len(texts), strict=True)))
        length = bucket(max(len(encoding.ids) for encoding in encodings), self._tokenizer.max_length)
        arrays = pad(encodings, length)
        offsets = np.zeros((len(encodings), length, 2), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            offsets[row, : len(encoding.offsets)] = encoding.offsets
        arrays["offsets"] = offsets
        arrays["truncated"] = np.array([is_truncated(encoding) for encoding in encodings])
        return [pb_utils.Tensor(name, array) for name, array in arrays.items()]


def _strings(request, name):
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    strings = []
    for row, value in enumerate(tensor.as_numpy().reshape(-1)):
        try:
            strings.append(value.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} {row} is not valid UTF-8 at byte {error.start}.") from error
    if not strings:
        raise ValueError(f"`{name}` holds no text.")
    return strings
