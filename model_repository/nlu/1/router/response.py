"""Answers -> Triton responses."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils


def result_response(results):
    """results: for each of B texts {task: answer} -> a response with `result`, B JSON texts, [B, 1]."""
    texts = [[json.dumps({"tasks": answers}, ensure_ascii=False)] for answers in results]
    # np.object_ and not np.bytes_: the latter's fixed width cuts what follows a zero byte.
    return pb_utils.InferenceResponse([pb_utils.Tensor("result", np.array(texts, dtype=np.object_))])


def error_response(error, code):
    """A response that fails the whole request."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))
