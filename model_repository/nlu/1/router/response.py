"""Answers -> Triton responses."""

import json
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from router.bls import StoppingError
from router.caller import GoneError

Answers = dict[str, str]  # task -> answer, as JSON


def result_response(results: list[Answers]) -> Any:
    """The answers of B texts -> a response with `result`, B JSON texts, [B, 1]."""
    texts = [[_joined(answers)] for answers in results]
    # np.object_ and not np.bytes_: the latter's fixed width cuts what follows a zero byte.
    return pb_utils.InferenceResponse([pb_utils.Tensor("result", np.array(texts, dtype=np.object_))])


def refusal_response(error: Exception) -> Any:
    """A response that says what is wrong with the request (INVALID_ARGUMENT, HTTP 400)."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))


def gone_response(error: GoneError) -> Any:
    """A response for a caller who waits no longer: cancelled, or too late."""
    code = pb_utils.TritonError.CANCELLED if error.cancelled else pb_utils.TritonError.UNAVAILABLE
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))


def failure_response(model: str, error: Exception) -> Any:
    """A response that says that the server failed on a good request (INTERNAL), or is being stopped (UNAVAILABLE).

    The words are those in which Triton reports a model's exception: streams carry no status code, and a client knows
    a failure from a refusal by them.
    """
    if isinstance(error, StoppingError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.UNAVAILABLE))
    sentence = f"Failed to process the request(s) for model '{model}', message: {error}"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(sentence, pb_utils.TritonError.INTERNAL))


def _joined(answers: Answers) -> str:
    tasks = ", ".join(f"{json.dumps(task)}: {answer}" for task, answer in answers.items())
    return f'{{"tasks": {{{tasks}}}}}'
