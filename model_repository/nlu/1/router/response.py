"""Triton responses: with answers, or with the reason why there are none."""

import json
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from router.caller import GoneError
from router.unavailable import UnavailableError

Answers = dict[str, str]  # task -> answer, as JSON


def result_response(results: list[Answers]) -> Any:
    """Returns a response with the output `result`: the answers of B texts as B JSON texts, [B, 1]."""
    texts = [[_joined(answers)] for answers in results]
    # np.object_, because np.bytes_ has a fixed width and loses zero bytes at the end.
    return pb_utils.InferenceResponse([pb_utils.Tensor("result", np.array(texts, dtype=np.object_))])


def refusal_response(error: Exception) -> Any:
    """Returns a response that says what is wrong with the request (INVALID_ARGUMENT, HTTP 400)."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))


def gone_response(error: GoneError) -> Any:
    """Returns a response to a request that was cancelled (CANCELLED) or whose timeout has passed (UNAVAILABLE)."""
    code = pb_utils.TritonError.CANCELLED if error.cancelled else pb_utils.TritonError.UNAVAILABLE
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))


def failure_response(model: str, error: BaseException) -> Any:
    """Returns the response to a good request: the server failed (INTERNAL), or cannot answer now (UNAVAILABLE).

    A failure has the words in which Triton reports a model's exception. Streams carry no status code, so clients tell
    a failure from a refusal by these words, and what may be asked again by "cannot answer now".
    """
    if isinstance(error, UnavailableError):
        sentence = f"the server cannot answer now, ask again: {error}"
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(sentence, pb_utils.TritonError.UNAVAILABLE))
    sentence = f"Failed to process the request(s) for model '{model}', message: {error}"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(sentence, pb_utils.TritonError.INTERNAL))


def _joined(answers: Answers) -> str:
    tasks = ", ".join(f"{json.dumps(task)}: {answer}" for task, answer in answers.items())
    return f'{{"tasks": {{{tasks}}}}}'
