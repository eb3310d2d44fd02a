"""KServe v2's infer over HTTP: JSON and binary tensors -> a call, and Triton's response -> JSON and binary tensors."""

from typing import Any

import numpy as np
import orjson
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.bytes_tensor import pack_texts, unpack_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.http_json import parsed_object
from build_tools.serving.gate.refusal import Code, RefusedError, shown

HEADER_LENGTH = "inference-header-content-length"
_BODY_FIELDS = {"id", "parameters", "inputs", "outputs"}
_INPUT_FIELDS = {"name", "datatype", "shape", "data", "parameters"}
_OUTPUT_FIELDS = {"name", "parameters"}
_DTYPES = {"BOOL": "?", "INT64": "<i8", "INT32": "<i4", "FP32": "<f4"}


def read_infer(model: str, version: str, body: bytes, header_length: str | None) -> tuple[InferCall, frozenset[str]]:
    """Returns what a body asks, and the outputs that it wants in binary form; "*" stands for all.

    header_length: the header of that name: how many bytes are JSON, before the binary tensors. None is all.
    Raises RefusedError (INVALID).
    """
    json_size = len(body) if header_length is None else _size(header_length, len(body), "the length of the JSON part")
    content = parsed_object(body[:json_size])
    _check_fields(content, _BODY_FIELDS, "the body")
    parameters = _object(content.get("parameters", {}), "parameters")
    timeout, priority, all_binary = read_parameters(parameters)
    inputs, end = _inputs(_list(content.get("inputs", []), "inputs"), body, json_size)
    if end != len(body):
        raise invalid(f"the body has {len(body) - end} bytes more than its tensors.")
    outputs, binary = _outputs(_list(content.get("outputs", []), "outputs"), all_binary)
    call = InferCall(model, version, text_of(content.get("id", ""), "id"), inputs, outputs, timeout, priority)
    return call, binary


def read_parameters(parameters: dict[str, Any]) -> tuple[int, int, bool]:
    """Returns timeout, priority, and whether outputs are wanted in binary form. Raises RefusedError (INVALID)."""
    for name, value in parameters.items():
        if name in ("timeout", "priority"):
            if type(value) is not int:
                raise invalid(f"the parameter {name} is not a whole number.")
        elif name == "binary_data_output":
            if type(value) is not bool:
                raise invalid(f"the parameter {name} is not true or false.")
        else:
            raise invalid(f"there is no parameter {shown(name)}: give timeout or priority.")
    return parameters.get("timeout", 0), parameters.get("priority", 0), parameters.get("binary_data_output", False)


def text_of(value: Any, what: str) -> str:
    """Returns a string. Raises RefusedError (INVALID) for anything else."""
    if not isinstance(value, str):
        raise invalid(f"{what} is not a string.")
    return value


def packed(name: str, datatype: str, values: list[Any]) -> bytes:
    """Returns the binary form of values that came as JSON. Raises RefusedError (INVALID) for one of another type."""
    if datatype == "BYTES":
        if not all(isinstance(value, str) for value in values):
            raise invalid(f"the input {shown(name)} holds something else than strings.")
        return pack_texts([value.encode() for value in values])
    if datatype == "BOOL":
        if not all(type(value) is bool for value in values):
            raise invalid(f"the input {shown(name)} holds something else than true and false.")
        return bytes(values)
    raise invalid(f"the input {shown(name)} is of the datatype {shown(datatype)}: give BYTES or BOOL.")


def written(answer: bytes, binary: frozenset[str]) -> tuple[bytes, int]:
    """Returns the body for Triton's ModelInferResponse, and how many bytes of it are JSON; 0 if all are.

    binary: the outputs that go in binary form; "*" stands for all.
    """
    response = pb.ModelInferResponse.FromString(answer)
    outputs, tail = [], []
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        described: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        if "*" in binary or output.name in binary:
            described["parameters"] = {"binary_data_size": len(raw)}
            tail.append(raw)
        else:
            described["data"] = values_of(output.datatype, raw)
        outputs.append(described)
    content = {"model_name": response.model_name, "model_version": response.model_version, "outputs": outputs}
    if response.id:
        content = {"id": response.id, **content}
    head = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([head, *tail]), len(head) if tail else 0


def values_of(datatype: str, raw: bytes) -> Any:
    """Returns a tensor's elements for JSON, in one list. BYTES must be UTF-8."""
    if datatype == "BYTES":
        return [element.decode() for element in unpack_texts(raw)]
    return np.frombuffer(raw, dtype=_DTYPES[datatype])


def invalid(sentence: str) -> RefusedError:
    """Returns the error for a request that cannot be read."""
    return RefusedError(Code.INVALID, sentence)


def _inputs(described: list[Any], body: bytes, place: int) -> tuple[list[Tensor], int]:
    """Returns the inputs, and where their binary tensors, which begin at `place`, end in the body."""
    inputs = []
    for number, one in enumerate(described):
        tensor = _object(one, f"inputs[{number}]")
        _check_fields(tensor, _INPUT_FIELDS, f"inputs[{number}]")
        name = text_of(tensor.get("name"), f"the name of inputs[{number}]")
        datatype = text_of(tensor.get("datatype"), f"the datatype of {shown(name)}")
        shape = _list(tensor.get("shape"), f"the shape of {shown(name)}")
        if not all(type(size) is int and 0 <= size < 2**31 for size in shape) or len(shape) > 8:
            raise invalid(f"the shape of {shown(name)} is not a list of few sizes.")
        parameters = _object(tensor.get("parameters", {}), f"the parameters of {shown(name)}")
        if parameters:
            if set(parameters) != {"binary_data_size"}:
                raise invalid(f"the input {shown(name)} has parameters other than binary_data_size.")
            if "data" in tensor:
                raise invalid(f"the input {shown(name)} has its data twice.")
            size = _size(parameters["binary_data_size"], len(body) - place, f"binary_data_size of {shown(name)}")
            raw, place = body[place : place + size], place + size
        else:
            raw = packed(name, datatype, _flat(_list(tensor.get("data"), f"the data of {shown(name)}")))
        inputs.append(Tensor(name, datatype, tuple(shape), raw))
    return inputs, place


def _outputs(described: list[Any], all_binary: bool) -> tuple[list[str], frozenset[str]]:
    if not described:
        return [], frozenset({"*"} if all_binary else ())
    names, binary = [], []
    for number, one in enumerate(described):
        output = _object(one, f"outputs[{number}]")
        _check_fields(output, _OUTPUT_FIELDS, f"outputs[{number}]")
        name = text_of(output.get("name"), f"the name of outputs[{number}]")
        parameters = _object(output.get("parameters", {}), f"the parameters of {shown(name)}")
        wanted = parameters.get("binary_data", all_binary)
        if not set(parameters) <= {"binary_data"} or type(wanted) is not bool:
            raise invalid(f"the output {shown(name)} has parameters other than binary_data, which is true or false.")
        names.append(name)
        binary += [name] if wanted else []
    return names, frozenset(binary)


def _flat(values: list[Any]) -> list[Any]:
    """Data may be nested as its shape is."""
    while values and isinstance(values[0], list):
        if not all(isinstance(value, list) for value in values):
            raise invalid("an input's data is nested unevenly.")
        values = [one for value in values for one in value]
    return values


def _size(value: Any, most: int, what: str) -> int:
    text = str(value) if type(value) in (int, str) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 12) or int(text) > most:
        raise invalid(f"{what} does not fit the body.")
    return int(text)


def _check_fields(value: dict[str, Any], known: set[str], what: str) -> None:
    for name in value:
        if name not in known:
            raise invalid(f"{what} has no field {shown(name)}: give {', '.join(sorted(known))}.")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"{what} is not a JSON object.")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(f"{what} is not a list.")
    return value
