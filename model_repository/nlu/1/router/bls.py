"""Calls of trunk and branches with Triton's Business Logic Scripting (BLS)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

NEWEST = -1
_STOPPING = "Server is stopping"  # in the error with which Triton's schedulers refuse requests once it is being stopped


class StoppingError(RuntimeError):
    """Triton is being stopped and begins no further calls. The caller may ask another server."""


def infer(model: str, version: int, inputs: dict[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the model's outputs by name.

    Raises RuntimeError with Triton's message if the call fails, StoppingError if Triton did not begin it.
    """
    request = pb_utils.InferenceRequest(
        model_name=model,
        model_version=version,
        requested_output_names=outputs,
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
    )
    response: Any = request.exec()
    if response.has_error():
        sentence = response.error().message()
        raise (StoppingError if _STOPPING in sentence else RuntimeError)(f"{model}: {sentence}")
    return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in outputs}
