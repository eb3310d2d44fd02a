"""Triton's generate endpoints: one JSON object of inputs by name, and one of outputs by name."""

from typing import Any

import orjson
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.catalogue import ModelSpec
from build_tools.serving.gate.http_infer import invalid, packed, read_parameters, text_of, values_of
from build_tools.serving.gate.http_json import parsed_object
from build_tools.serving.gate.refusal import shown


def read_generate(model: str, version: str, spec: ModelSpec, body: bytes) -> InferCall:
    """Returns what a body asks: for each input a value, or a list with one value for each text.

    Raises RefusedError (INVALID).
    """
    content = parsed_object(body)
    request_id = text_of(content.pop("id", ""), "id")
    parameters = content.pop("parameters", {})
    if not isinstance(parameters, dict):
        raise invalid("parameters is not a JSON object.")
    timeout, priority, _ = read_parameters(parameters)
    inputs = []
    for name, value in content.items():
        datatype = spec.inputs.get(name)
        if datatype is None:
            known = ", ".join([*spec.inputs, "id", "parameters"])
            raise invalid(f"there is no input {shown(name)}: give {known}.")
        values = value if isinstance(value, list) else [value]
        inputs.append(Tensor(name, datatype, (len(values), *spec.row), packed(name, datatype, values)))
    return InferCall(model, version, request_id, inputs, timeout_us=timeout, priority=priority)


def written_generate(response: pb.ModelInferResponse) -> bytes:
    """Returns the JSON object of a response: a value for an output of one element, otherwise a list."""
    content: dict[str, Any] = {"id": response.id} if response.id else {}
    content |= {"model_name": response.model_name, "model_version": response.model_version}
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        values = values_of(output.datatype, raw)
        content[output.name] = values[0] if len(values) == 1 else values
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def event(content: bytes) -> bytes:
    """Returns a server-sent event as Triton formats it."""
    return b"data: " + content + b"\n\n"
