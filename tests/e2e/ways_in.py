"""Every way in which a request reaches the routers, past the checks of our own client."""

import json
import queue
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from build_tools.serving.supervisor import Supervisor

Inputs = Mapping[str, Sequence[str | bool | int]]  # by name: a value for each text
Refusal = tuple[str | None, str]  # the error's class, None where Triton sends none, and its sentence

PATIENCE = 60  # seconds
_TYPES = {str: ("BYTES", np.object_), bool: ("BOOL", np.bool_), int: ("INT32", np.int32)}


def refused_over_http(path: str, inputs: Inputs, shapes: Mapping[str, list[int]], server: Supervisor) -> Refusal:
    """The status and sentence with which HTTP refuses. Raises AssertionError if it answers."""
    if path.endswith("/infer"):
        body: dict[str, Any] = {"inputs": [_json_tensor(name, inputs[name], shapes.get(name)) for name in inputs]}
    else:
        body = {name: list(values) for name, values in inputs.items()}
    request = urllib.request.Request(f"http://{server.http_url}/v2/models/{path}", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            raise AssertionError(f"answered with {answer.status}: {answer.read()!r}")
    except urllib.error.HTTPError as error:
        return str(error.code), json.loads(error.read().decode().removeprefix("data: "))["error"]


def refused_over_grpc(model: str, inputs: Inputs, shapes: Mapping[str, list[int]], server: Supervisor) -> Refusal:
    """The status and sentence with which gRPC refuses. Raises AssertionError if it answers."""
    with grpc.InferenceServerClient(server.grpc_url) as client:
        try:
            answer = client.infer(model, _tensors(inputs, shapes), client_timeout=PATIENCE)
        except InferenceServerException as error:
            return error.status(), error.message()
    raise AssertionError(f"answered with {answer.get_response()}")


def refused_in_stream(model: str, inputs: Inputs, shapes: Mapping[str, list[int]], server: Supervisor) -> Refusal:
    """The sentence with which a gRPC stream refuses. Raises AssertionError if it answers, queue.Empty if silent."""
    arrived: queue.Queue[tuple[Any, InferenceServerException | None]] = queue.Queue()
    with grpc.InferenceServerClient(server.grpc_url) as client:
        client.start_stream(lambda result, error: arrived.put((result, error)))
        client.async_stream_infer(model, _tensors(inputs, shapes), enable_empty_final_response=True)
        result, error = arrived.get(timeout=PATIENCE)
        client.stop_stream()
    assert error is not None, f"answered with {result.get_response()}"
    return error.status(), error.message()


# {way in: (function, path or model, the class of the error)}. A gRPC stream carries sentences without a class.
_Way = Callable[[str, Inputs, Mapping[str, list[int]], Supervisor], Refusal]
WAYS_IN: dict[str, tuple[_Way, str, str | None]] = {
    "HTTP generate": (refused_over_http, "nlu/generate", "400"),
    "HTTP generate_stream": (refused_over_http, "nlu/generate_stream", "400"),
    "HTTP infer": (refused_over_http, "nlu/infer", "400"),
    "HTTP generate of nlu_stream": (refused_over_http, "nlu_stream/generate", "400"),
    "HTTP generate_stream of nlu_stream": (refused_over_http, "nlu_stream/generate_stream", "400"),
    "gRPC infer": (refused_over_grpc, "nlu", "StatusCode.INVALID_ARGUMENT"),
    "gRPC stream": (refused_in_stream, "nlu", None),
    "gRPC stream of nlu_stream": (refused_in_stream, "nlu_stream", None),
}


def _json_tensor(name: str, values: Sequence[Any], shape: list[int] | None) -> dict[str, Any]:
    datatype = _TYPES[type(values[0]) if values else str][0]
    return {"name": name, "datatype": datatype, "shape": shape or [len(values), 1], "data": list(values)}


def _tensors(inputs: Inputs, shapes: Mapping[str, list[int]]) -> list[grpc.InferInput]:
    tensors = []
    for name, values in inputs.items():
        datatype, dtype = _TYPES[type(values[0]) if values else str]
        array = np.array([value.encode() if isinstance(value, str) else value for value in values], dtype=dtype)
        array = array.reshape(shapes.get(name) or [len(values), 1])
        tensors.append(grpc.InferInput(name, list(array.shape), datatype))
        tensors[-1].set_data_from_numpy(array)
    return tensors
