"""Requests that no client library sends."""

import json
import re
import socket
from collections.abc import Iterable
from typing import Any

from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.aio import grpc

INFER = "/inference.GRPCInferenceService/ModelInfer"


def over_tcp(url: str, data: bytes, more: Iterable[bytes] = (), timeout: float = 30) -> tuple[int, str]:
    """Sends bytes to host:port, and returns status and error of the answer, which is JSON; (0, "") if there is none."""
    host, _, port = url.partition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        try:
            for part in (data, *more):
                connection.sendall(part)
        except OSError:
            pass  # refused before all was sent
        answer = b""
        try:
            while not _is_whole(answer) and (part := connection.recv(65536)):
                answer += part
        except OSError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body).get("error", "")) if body else (0, "")


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def post(path: str, body: bytes | dict[str, Any], *headers: str) -> bytes:
    """Returns an HTTP request for a path below /v2/models/."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    lines = [f"POST /v2/models/{path} HTTP/1.1", "host: gate", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def text_request(model: str = "nlu", text: bytes = b"wake me", **fields: Any) -> pb.ModelInferRequest:
    """Returns a good request for one text."""
    shape = [1, 1] if model.startswith("nlu") else [1]
    message = pb.ModelInferRequest(model_name=model, **fields)
    message.inputs.add(name="text", datatype="BYTES", shape=shape)
    message.raw_input_contents.append(len(text).to_bytes(4, "little") + text)
    return message


def over_grpc(
    channel: grpc.Channel, message: bytes, method: str = INFER, metadata: Any = None, timeout: float = 30
) -> tuple[str, str]:
    """Sends bytes as a unary call, and returns ("OK", "") or the name of the status and the sentence."""
    try:
        channel.unary_unary(method)(message, timeout=timeout, metadata=metadata)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""
