"""Both protocols over TLS, with an echo in place of the gate: what is tried is who gets a connection."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import uvicorn
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.grpc.aio import grpc
from tritonclient.utils import serialize_byte_tensor

from build_tools.serving.gate.tls import ServerTls


@dataclass(frozen=True)
class Addresses:
    """host:port of each protocol."""

    grpc: str
    http: str


@contextmanager
def served(tls: ServerTls) -> Iterator[Addresses]:
    """Serves in a thread. Every answer's label is the `authorization` that the caller sent."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        server, http, port = asyncio.run_coroutine_threadsafe(_start(tls, listener), loop).result(10)
        yield Addresses(f"localhost:{port}", f"localhost:{listener.getsockname()[1]}")
        http.should_exit = True
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()


async def _start(tls: ServerTls, listener: socket.socket) -> tuple[grpc.aio.Server, uvicorn.Server, int]:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Grpc(), server)
    port = server.add_secure_port("127.0.0.1:0", tls.grpc_credentials())
    await server.start()
    config = uvicorn.Config(_http, log_config=None, lifespan="off")
    config.load()
    config.ssl = tls.http_context()
    http = uvicorn.Server(config)
    asyncio.get_running_loop().create_task(http._serve([listener]))  # `serve` takes signals, which a thread cannot
    while not http.started:
        await asyncio.sleep(0.01)
    return server, http, port


def _row(authorization: str) -> str:
    return json.dumps({"tasks": {"echo": {"label": authorization}}})


class _Grpc(service_pb2_grpc.GRPCInferenceServiceServicer):
    async def ModelInfer(self, request, context):  # noqa: N802 (the service's name)
        given = dict(context.invocation_metadata()).get("authorization", "nobody")
        raw = serialize_byte_tensor(np.array([_row(given).encode()], dtype=np.object_)).item()
        response = service_pb2.ModelInferResponse(id=request.id, raw_output_contents=[raw])
        response.outputs.add(name="result", datatype="BYTES", shape=[1, 1])
        return response


async def _http(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    given = dict(scope["headers"]).get(b"authorization", b"nobody").decode()
    body = json.dumps({"outputs": [{"name": "result", "data": [_row(given)]}]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
