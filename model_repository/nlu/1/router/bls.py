"""Calls of trunk and branches with Triton's business logic scripting (BLS)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

NEWEST = -1
_STOPPING = "Server is stopping"  # how Triton's schedulers refuse new requests from then on


class StoppingError(RuntimeError):
    """Triton begins no more calls, because it is being stopped: what was asked for may be asked of another server."""


def infer(model: str, version: int, inputs: dict[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """The model's outputs by name.

    Raises RuntimeError with Triton's sentence if the call fails; StoppingError if Triton did not begin it.
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
