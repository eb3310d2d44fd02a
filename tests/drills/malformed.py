"""Malformed requests, made from good ones with a seed: the same seed makes the same requests."""

import gzip
import json
import random
import string
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import service_pb2 as pb

WRONG = frozenset({"INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"})
WRONG_OVER_HTTP = frozenset({400, 404, 405, 413, 431, 501})
MODELS = ("nlu", "nlu_stream", "intent", "same", "slots", "branch_intent", "trunk", "evil", "")
_SIZES = (0, -1, 2, 65, 2**31, 2**32, 2**63 - 1, -(2**63))
_DATATYPES = ("BYTES", "BOOL", "FP32", "INT64", "FP16", "BF16", "UINT8", "STRING", "", "bytes")
_PARAMETERS = (
    "classification",
    "shared_memory_region",
    "shared_memory_byte_size",
    "sequence_id",
    "sequence_start",
    "sequence_end",
    "timeout",
    "priority",
    "triton_enable_empty_final_response",
    "binary_data_size",
    "traceparent",
    "espalier",
    "",
)


@dataclass(frozen=True)
class Sent:
    """A request. allowed: the classes of right answers; "OK" or 200 is among them if it may be harmless."""

    what: str
    message: bytes
    allowed: frozenset[Any]
    headers: tuple[str, ...] = ()
    path: str = ""


def over_grpc(rng: random.Random) -> Sent:
    """Returns a message for ModelInfer."""
    change = rng.choice(_GRPC)
    message = _good(rng)
    what, allowed = change.__name__, change(rng, message)
    raw = message.SerializeToString()
    if rng.random() < 0.2:  # a field that no message has
        raw += b"\xfa\x3f" + bytes([4]) + b"evil"
    return Sent(what, raw, allowed)


def bytes_over_grpc(rng: random.Random) -> Sent:
    """Returns a message some bytes of which are changed, left out or repeated. It may still be a good one."""
    raw = bytearray(_good(rng).SerializeToString())
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(raw))
        kind = rng.randrange(3)
        if kind == 0:
            raw[place] = rng.randrange(256)
        elif kind == 1:
            del raw[place : place + rng.randint(1, 4)]
        else:
            raw[place:place] = raw[place : place + rng.randint(1, 40)]
        if not raw:
            break
    return Sent("bytes", bytes(raw), WRONG | {"OK"})


def over_http(rng: random.Random) -> Sent:
    """Returns a POST below /v2/models/."""
    change = rng.choice(_HTTP)
    text = _text(rng)
    infer = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": [text]}]}
    sent = change(rng, infer if rng.random() < 0.6 else {"text": text, "tasks": "intent"})
    if rng.random() < 0.15 and not sent.headers:
        return Sent(
            f"{sent.what} in gzip", gzip.compress(sent.message), sent.allowed, ("content-encoding: gzip",), sent.path
        )
    return sent


def _good(rng: random.Random) -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name="nlu", id=f"fuzz{rng.randrange(10**6)}")
    texts = [_text(rng).encode() for _ in range(rng.randint(1, 3))]
    message.inputs.add(name="text", datatype="BYTES", shape=[len(texts), 1])
    message.raw_input_contents.append(_packed(texts))
    message.inputs.add(name="tasks", datatype="BYTES", shape=[len(texts), 1])
    message.raw_input_contents.append(_packed([b"intent"] * len(texts)))
    return message


def _packed(texts: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _text(rng: random.Random) -> str:
    return rng.choice(("wake me at seven", "a", "größer 🙂", "x" * 300, "play jazz in paris " * 20))


def _noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 3, 4, 5, 100, 5000)))


# Changes of a gRPC message. Each returns the classes of the answers that are right.


def _datatype(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.inputs[rng.randrange(2)].datatype = rng.choice(_DATATYPES[1:])
    return WRONG


def _shape(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    tensor = message.inputs[rng.randrange(2)]
    tensor.shape[:] = rng.choice(
        ([], [tensor.shape[0]], [rng.choice(_SIZES), 1], [1, rng.choice(_SIZES)], [4] * 40, [rng.choice(_SIZES)] * 3)
    )
    return WRONG | ({"OK"} if list(tensor.shape) == [len(message.raw_input_contents), 1] else frozenset())


def _raw(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.raw_input_contents[rng.randrange(2)] = b"\xff" + _noise(rng)
    return WRONG


def _count_of_raws(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    if rng.random() < 0.5:
        del message.raw_input_contents[0]
    else:
        message.raw_input_contents.extend([b"x"] * rng.randint(1, 2000))
    return WRONG


def _both_contents(_rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.inputs[0].contents.bytes_contents.append(b"twice")
    return WRONG


def _repeated_input(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    for _ in range(rng.choice((1, 5, 900))):
        message.inputs.add().CopyFrom(message.inputs[0])
        message.raw_input_contents.append(message.raw_input_contents[0])
    return WRONG


def _unknown_input(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.inputs[1].name = rng.choice(("task", "hidden", "", "text\0", "x" * 10_000, "result"))
    return WRONG


def _no_text(_rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    del message.inputs[0], message.raw_input_contents[0]
    return WRONG


def _empty_text(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    texts = message.inputs[0].shape[0]
    message.raw_input_contents[0] = _packed([rng.choice((b"", b" ", b"\xff\xfe", b"a" * 100_001))] * texts)
    return frozenset({"INVALID_ARGUMENT"})


def _unknown_task(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    texts = message.inputs[0].shape[0]
    name = rng.choice((b"nope", b",", b"", b"\xff", b"intent;slots", b"x" * 50_000, b"intent,\0"))
    message.raw_input_contents[1] = _packed([name] * texts)
    return frozenset({"INVALID_ARGUMENT"})


def _output(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    output = message.outputs.add(name=rng.choice(("result", "logits", "", "hidden_1")))
    _set(rng, output.parameters)
    return WRONG


def _repeated_output(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    for _ in range(rng.choice((2, 900))):
        message.outputs.add(name="result")
    return WRONG


def _input_parameter(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    _set(rng, message.inputs[rng.randrange(2)].parameters)
    return WRONG


def _parameter(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    for _ in range(rng.choice((1, 3, 200))):
        _set(rng, message.parameters)
    return WRONG | {"OK", "UNAVAILABLE"}  # a timeout or priority may be a good one, and a timeout too short


def _model(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.model_name = rng.choice((*MODELS[1:], "../nlu", "nlu/1", "n" * 10_000, "nlu\n"))
    return WRONG


def _version(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.model_version = rng.choice(("2", "-1", "x", "1.0", "9" * 5000, " 1"))
    return WRONG


def _id(rng: random.Random, message: pb.ModelInferRequest) -> frozenset[str]:
    message.id = rng.choice(("a\nb", "\0", "ü", "x" * 5000, "\x7f"))
    return WRONG


def _set(rng: random.Random, parameters: Any) -> None:
    value = parameters[rng.choice(_PARAMETERS)]
    rng.choice(
        (
            lambda: setattr(value, "bool_param", True),
            lambda: setattr(value, "int64_param", rng.choice(_SIZES)),
            lambda: setattr(value, "uint64_param", 2**64 - 1),
            lambda: setattr(value, "double_param", float("nan")),
            lambda: setattr(value, "string_param", "x" * rng.choice((1, 5000))),
        )
    )()


_GRPC: tuple[Callable[[random.Random, pb.ModelInferRequest], frozenset[str]], ...] = (
    _datatype,
    _shape,
    _raw,
    _count_of_raws,
    _both_contents,
    _repeated_input,
    _unknown_input,
    _no_text,
    _empty_text,
    _unknown_task,
    _output,
    _repeated_output,
    _input_parameter,
    _parameter,
    _model,
    _version,
    _id,
)

# Changes of an HTTP request.


def _path(content: dict[str, Any]) -> str:
    return "nlu/infer" if "inputs" in content else "nlu/generate"


def _sent(what: str, content: Any, path: str, *headers: str, allowed: frozenset[int] = WRONG_OVER_HTTP) -> Sent:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Sent(what, body, allowed, headers, path)


def _cut(rng: random.Random, content: dict[str, Any]) -> Sent:
    body = json.dumps(content).encode()
    return _sent("cut", body[: rng.randrange(len(body))], _path(content))


def _nonsense(rng: random.Random, content: dict[str, Any]) -> Sent:
    body = rng.choice(
        (_noise(rng), b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b"{}", b"[" * 200_000, b'{"a":' * 9999)
    )
    return _sent("nonsense", body, _path(content))


def _wrong_type(rng: random.Random, content: dict[str, Any]) -> Sent:
    wrong = rng.choice((None, 5, 1.5, True, [[["a"]]], {}, [], [None], {"a": 1}, -1, 10**30))
    if "inputs" in content:
        tensor = content["inputs"][0]
        field = rng.choice(("inputs", "id", "parameters", "outputs", "name", "datatype", "shape", "data"))
        (tensor if field in tensor else content)[field] = wrong
        harmless = (field in ("parameters",) and wrong == {}) or (field == "outputs" and wrong == [])
        harmless = harmless or (field == "data" and wrong == [[["a"]]])
        return _sent(
            f"wrong type of {field}",
            content,
            "nlu/infer",
            allowed=WRONG_OVER_HTTP | {200} if harmless else WRONG_OVER_HTTP,
        )
    field = rng.choice(("text", "tasks", "all_scores", "pair", "id", "parameters"))
    content[field] = wrong
    harmless = (field == "all_scores" and wrong is True) or (field == "parameters" and wrong == {})
    return _sent(
        f"wrong type of {field}",
        content,
        "nlu/generate",
        allowed=WRONG_OVER_HTTP | {200} if harmless else WRONG_OVER_HTTP,
    )


def _unknown_field(rng: random.Random, content: dict[str, Any]) -> Sent:
    content[rng.choice(("task", "texts", "stream", "__proto__", "x" * 9999, ""))] = "a"
    return _sent("unknown field", content, _path(content))


def _wrong_parameter(rng: random.Random, content: dict[str, Any]) -> Sent:
    name = rng.choice([one for one in _PARAMETERS if one not in ("timeout", "priority")])
    content["parameters"] = {name: rng.choice((1, "x", True, None))}
    return _sent("parameter", content, _path(content))


def _wrong_shape(rng: random.Random, content: dict[str, Any]) -> Sent:
    content.clear()
    shape = rng.choice(([], [1], [rng.choice(_SIZES), 1], [1.0, 1], ["1", 1], [1] * 50, [10**25, 1]))
    content["inputs"] = [{"name": "text", "datatype": rng.choice(_DATATYPES), "shape": shape, "data": ["a"]}]
    return _sent("shape", content, "nlu/infer")


def _binary(rng: random.Random, content: dict[str, Any]) -> Sent:
    content.clear()
    size = rng.choice((0, 1, 4, 9, 10**12, -1, "9", None, 1.5))
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    length = rng.choice((len(head) - 1, len(head) + 1, 10**9, -1, "x", 0))
    return _sent("binary", head + b"\xff" + _noise(rng), "nlu/infer", f"inference-header-content-length: {length}")


def _classified(_rng: random.Random, content: dict[str, Any]) -> Sent:
    content.clear()
    content["inputs"] = [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]}]
    content["outputs"] = [{"name": "result", "parameters": {"classification": 2}}]
    return _sent("classification", content, "nlu/infer")


_ELSEWHERE = (
    "branch_intent/infer",
    "trunk/infer",
    "evil/generate",
    "nlu/load",
    "nlu/versions/7/infer",
    "%2e%2e/x",
    "nlu/generate/x",
    "nlu%00/generate",
    "nlu_stream/infer",
)


def _elsewhere(rng: random.Random, content: dict[str, Any]) -> Sent:
    place = rng.choice(_ELSEWHERE)
    return _sent("elsewhere", content, place)


def _strange_header(rng: random.Random, content: dict[str, Any]) -> Sent:
    header = rng.choice(
        (
            "x-request-timeout-ms: x",
            "x-request-timeout-ms: -1",
            "x-request-timeout-ms: nan",
            "content-encoding: br",
            "content-encoding: gzip",
            "content-encoding: deflate",
            "x-request-id: " + "x" * 1000,
            "a: " + "".join(rng.choices(string.ascii_letters, k=30_000)),
        )
    )
    return _sent("header", content, _path(content), header)


_HTTP: tuple[Callable[[random.Random, dict[str, Any]], Sent], ...] = (
    _cut,
    _nonsense,
    _wrong_type,
    _unknown_field,
    _wrong_parameter,
    _wrong_shape,
    _binary,
    _classified,
    _elsewhere,
    _strange_header,
)
