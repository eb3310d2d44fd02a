"""A stand-in for Triton that answers with the tag in each text, and breaks in the way that the text names.

`python faulty_server.py` prints the gRPC port and the HTTP port. A text is "FAULT TAG"; the faults:

    late    the answer comes LATE_SECONDS later, after the client's timeout
    half    the connection ends in mid-body (HTTP), or the call ends with an error (gRPC)
    twice   the answer is sent twice on the connection (HTTP); as ok over gRPC
    many    a stream of several answers; the pause between them lets a caller leave
    ok      the answer
"""

import contextlib
import json
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.grpc.aio import grpc
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

LATE_SECONDS = 5.5
PARTS = 4


def _row(tag):
    return json.dumps({"tasks": {"echo": {"label": tag}}})


class Http:
    """Raw sockets, because a well-behaved server cannot break in these ways."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
            while self._answer(connection, stream):
                pass

    def _answer(self, connection, stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return False
            head += line
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        body = json.loads(stream.read(length))
        is_stream = "text" in body
        fault, _, tag = (body["text"] if is_stream else body["inputs"][0]["data"][0]).partition(" ")
        if fault == "late":
            time.sleep(LATE_SECONDS)
        if is_stream:
            event = f"data: {json.dumps({'id': body.get('id'), 'result': _row(tag)})}\n\n"
            parts = [event] * (PARTS if fault == "many" else 1)
        else:
            output = {"name": "result", "data": [_row(tag)]}
            parts = [json.dumps({"id": body.get("id"), "outputs": [output]})]
        content = [part.encode() for part in parts]
        whole = f"HTTP/1.1 200 OK\r\nContent-Length: {sum(map(len, content))}\r\n\r\n".encode()
        if fault == "half":
            stream.write(whole + content[0][: len(content[0]) // 2])
            stream.flush()
            if hash(tag) % 2:  # a reset in place of an orderly end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        stream.write(whole)
        for part in content:
            stream.write(part)
            stream.flush()
            if len(content) > 1:
                time.sleep(0.02)
        if fault == "twice":
            stream.write(whole + b"".join(content))
            stream.flush()
        return True


class Grpc(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The two calls that the clients use."""

    def ModelInfer(self, request, context):  # noqa: N802 (the service's name)
        fault, tag = self._read(request)
        if fault == "late":
            time.sleep(LATE_SECONDS)
        if fault == "half":
            context.abort(grpc.StatusCode.UNAVAILABLE, "broke")
        return self._response(request.id, tag)

    def ModelStreamInfer(self, requests, context):  # noqa: N802
        for request in requests:
            fault, tag = self._read(request)
            if fault == "late":
                time.sleep(LATE_SECONDS)
            if fault == "half":
                context.abort(grpc.StatusCode.UNAVAILABLE, "broke")
            for _ in range(PARTS if fault == "many" else 1):
                yield service_pb2.ModelStreamInferResponse(infer_response=self._response(request.id, tag))
                if fault == "many":
                    time.sleep(0.02)
            final = service_pb2.ModelStreamInferResponse()
            final.infer_response.parameters["triton_final_response"].bool_param = True
            yield final

    @staticmethod
    def _read(request):
        text = deserialize_bytes_tensor(request.raw_input_contents[0])[0].decode()
        fault, _, tag = text.partition(" ")
        return fault, tag

    @staticmethod
    def _response(request_id, tag):
        raw = serialize_byte_tensor(np.array([_row(tag).encode()], dtype=np.object_)).item()
        response = service_pb2.ModelInferResponse(id=request_id, raw_output_contents=[raw])
        response.outputs.add(name="result", datatype="BYTES", shape=[1, 1])
        return response


def main():
    server = grpc.server(ThreadPoolExecutor(128))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Grpc(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, Http().port, flush=True)
    sys.stdin.read()  # until the test closes it


if __name__ == "__main__":
    main()
