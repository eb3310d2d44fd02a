"""Calls of trunk and branches with Triton's Business Logic Scripting (BLS)."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from router.registry import NEWEST
from router.unavailable import DeadError, NotLoadedError, StoppingError

# What Triton 2.51 says. The error's code is INTERNAL for all of them, once BLS has passed it on.
_SIGNS = (
    # A scheduler says the first while the server is being stopped, and later the server itself the second.
    (re.compile(r"Server is stopping|Server not ready"), StoppingError),
    (re.compile(r"[Ss]tub process .*is not healthy"), DeadError),
    # While a model is unloaded, loaded, or has no such version.
    (re.compile(r"unknown model|is not ready|has no available versions|is not at ready state"), NotLoadedError),
)


def infer(model: str, version: int, inputs: dict[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the model's outputs by name.

    Raises RuntimeError with Triton's message if the call fails: UnavailableError if nothing is wrong with the call.
    """
    try:
        return _infer(model, version, inputs, outputs)
    except StoppingError:
        # The scheduler of a model that a newly loaded one has just replaced says it as well. The next call goes to the
        # new one; if the server does stop, that call is refused too.
        return _infer(model, version, inputs, outputs)


def _infer(model: str, version: int, inputs: dict[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    request = pb_utils.InferenceRequest(
        model_name=model,
        model_version=version,
        requested_output_names=outputs,
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        # A model on a GPU would leave its outputs there, where numpy cannot read them.
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
    )
    try:
        response: Any = request.exec()
    except Exception as error:  # as Triton raises it if it cannot even begin the call
        raise failure(model, str(error)) from error
    if response.has_error():
        raise failure(model, response.error().message())
    return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in outputs}


def failure(model: str, sentence: str) -> RuntimeError:
    """Returns the error for a call that failed with Triton's sentence."""
    for sign, error in _SIGNS:
        if sign.search(sentence):
            return error(f"{model}: {sentence}")
    return RuntimeError(f"{model}: {sentence}")


def is_loaded(model: str, version: int) -> bool:
    """Returns whether Triton has this version of the model loaded. Its process may be dead all the same."""
    wanted = "" if version == NEWEST else str(version)
    return bool(pb_utils.is_model_ready(model_name=model, model_version=wanted))
