"""Answers -> Triton responses."""

import json
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

Answers = dict[str, dict[str, Any]]  # task -> answer


def result_response(results: list[Answers]) -> Any:
    """The answers of B texts -> a response with `result`, B JSON texts, [B, 1]."""
    texts = [[json.dumps({"tasks": answers}, ensure_ascii=False)] for answers in results]
    # np.object_ and not np.bytes_: the latter's fixed width cuts what follows a zero byte.
    return pb_utils.InferenceResponse([pb_utils.Tensor("result", np.array(texts, dtype=np.object_))])


def refusal_response(error: Exception) -> Any:
    """A response that says what is wrong with the request (INVALID_ARGUMENT, HTTP 400)."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))


def failure_response(model: str, error: Exception) -> Any:
    """A response that says that the server failed on a good request (INTERNAL).

    The words are those in which Triton reports a model's exception: streams carry no status code, and a client knows
    a failure from a refusal by them.
    """
    sentence = f"Failed to process the request(s) for model '{model}', message: {error}"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(sentence, pb_utils.TritonError.INTERNAL))
