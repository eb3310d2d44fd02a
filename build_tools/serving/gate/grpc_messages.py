"""KServe v2's gRPC messages -> calls. Nothing that is not known here gets any further."""

from typing import Any

from google.protobuf.message import DecodeError, Message
from tritonclient.grpc import service_pb2

from build_tools.serving.gate.bytes_tensor import pack_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.refusal import Code, RefusedError, shown

# Empty messages of two bytes each become objects of some eighty: the fields of large messages are counted before they
# are read.
_SMALL = 2**16
_MOST_FIELDS = 1000
_MOST_PARAMETERS = 32
_FINAL = "triton_enable_empty_final_response"


def read_call(message: bytes) -> InferCall:
    """Returns what a ModelInferRequest asks. Raises RefusedError (INVALID) if it cannot be read."""
    if len(message) > _SMALL and _has_more_fields(message, _MOST_FIELDS):
        raise _invalid(f"the message has more than {_MOST_FIELDS} fields.")
    try:
        request = service_pb2.ModelInferRequest.FromString(message)
    except DecodeError:
        raise _invalid("the message is not a ModelInferRequest.") from None
    parameters = _parameters(request)
    return InferCall(
        model=request.model_name,
        version=request.model_version,
        id=request.id,
        inputs=_inputs(request),
        outputs=_outputs(request),
        timeout_us=parameters.get("timeout", 0),
        priority=parameters.get("priority", 0),
        wants_final=bool(parameters.get(_FINAL)),
    )


def parsed(kind: type[Message], message: bytes) -> Any:
    """Returns the message of this kind. Raises RefusedError (INVALID) if it is not one."""
    try:
        return kind.FromString(message)
    except DecodeError:
        raise RefusedError(Code.INVALID, f"the message is not a {kind.DESCRIPTOR.name}.") from None


def _parameters(request: service_pb2.ModelInferRequest) -> dict[str, int]:
    if len(request.parameters) > _MOST_PARAMETERS:
        raise _invalid(f"there are more than {_MOST_PARAMETERS} parameters.")
    known: dict[str, int] = {}
    for name, value in request.parameters.items():
        kind = value.WhichOneof("parameter_choice")
        if name in ("timeout", "priority") and kind in ("int64_param", "uint64_param"):
            known[name] = getattr(value, kind)
        elif name == _FINAL and kind == "bool_param":
            known[name] = value.bool_param
        elif name in ("timeout", "priority", _FINAL):
            raise _invalid(f"the parameter {name} has the wrong type.")
        else:
            raise _invalid(f"there is no parameter {shown(name)}: give timeout or priority.")
    return known


def _inputs(request: service_pb2.ModelInferRequest) -> list[Tensor]:
    raws = request.raw_input_contents
    if raws and len(raws) != len(request.inputs):
        raise _invalid(f"there are {len(request.inputs)} inputs and the raw contents of {len(raws)}.")
    inputs = []
    for number, tensor in enumerate(request.inputs):
        if tensor.parameters:
            raise _invalid(f"the input {shown(tensor.name)} has parameters: give its contents in the message.")
        if raws and tensor.HasField("contents"):
            raise _invalid(f"the input {shown(tensor.name)} has contents twice.")
        raw = raws[number] if raws else _raw(tensor)
        inputs.append(Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), raw))
    return inputs


def _raw(tensor: service_pb2.ModelInferRequest.InferInputTensor) -> bytes:
    if tensor.datatype == "BYTES":
        return pack_texts(tensor.contents.bytes_contents)
    if tensor.datatype == "BOOL":
        return bytes(tensor.contents.bool_contents)
    raise _invalid(f"the input {shown(tensor.name)} of datatype {shown(tensor.datatype)} has no raw contents.")


def _outputs(request: service_pb2.ModelInferRequest) -> list[str]:
    names = []
    for output in request.outputs:
        if output.parameters:
            raise _invalid(f"the output {shown(output.name)} has parameters: ask for it by name alone.")
        names.append(output.name)
    return names


def _has_more_fields(message: bytes, most: int) -> bool:
    """Whether a protobuf message has more than `most` fields of its own. A broken one has not."""
    place, end = 0, len(message)
    for _ in range(most + 1):
        if place >= end:
            return False
        tag, place = _varint(message, place)
        wire_type = tag & 7
        if wire_type == 2:
            length, place = _varint(message, place)
            place += length
        elif wire_type == 0:
            _, place = _varint(message, place)
        elif wire_type in (1, 5):
            place += 8 if wire_type == 1 else 4
        else:  # groups: refused by nobody, used by nobody; their insides count as fields
            continue
    return place < end


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    return value, place


def _invalid(sentence: str) -> RefusedError:
    return RefusedError(Code.INVALID, sentence)
