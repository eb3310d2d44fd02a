"""One server of a fleet, on loopback: it can refuse, hang, break, stop in order and come back at its port."""

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.grpc.aio import grpc
from tritonclient.utils import serialize_byte_tensor

Mode = Literal["ok", "not ready", "full", "stopping", "break"]
REFUSALS = {
    "stopping": "Server is stopping: ask again, or ask another server.",
    "not ready": "the server is not ready (trunk is loading): ask again.",
    "full": "the server has 512 requests in flight, as many as it takes: ask again later.",
}


class Replica:
    """Answers every text with its own name, as the task `echo`. mode: how it behaves from now on.

    asked: the requests that reached it, refused ones too. proofs: how often it was asked whether it is ready.
    connections: how many were made, over HTTP.
    """

    def __init__(self, protocol: str, host: str = "127.0.0.1", port: int = 0, tls: Any = None) -> None:
        """tls: a certificate of trustme."""
        self.protocol, self.host, self.port, self._tls = protocol, host, port, tls
        self.mode: Mode = "ok"
        self.asked = self.proofs = self.connections = 0
        self.seconds = 0.0  # that an answer takes
        self._server: Any = None
        self.start()

    @property
    def url(self) -> str:
        return f"{'http://' if self.protocol == 'http' else ''}{self.host}:{self.port}"

    def row(self) -> str:
        self.asked += 1
        time.sleep(self.seconds)
        return json.dumps({"tasks": {"echo": {"label": f"{self.host}:{self.port}"}}})

    def start(self) -> None:
        self.mode = "ok"
        if self.protocol == "grpc":
            self._server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
            service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Grpc(self), self._server)
            place = f"{self.host}:{self.port}"
            if self._tls is None:
                self.port = self._server.add_insecure_port(place)
            else:
                key = self._tls.private_key_pem.bytes()
                chain = b"".join(blob.bytes() for blob in self._tls.cert_chain_pems)
                credentials = grpc.ssl_server_credentials([(key, chain)])
                self.port = self._server.add_secure_port(place, credentials)
            assert self.port
            self._server.start()
        else:
            self._server = _HttpServer((self.host, self.port), self, self._tls)
            self.port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """In order: new requests are refused for a moment, and what was taken is answered."""
        self.mode = "stopping"
        time.sleep(0.1)
        if self.protocol == "grpc":
            self._server.stop(5).wait()
        else:
            self._server.stop()

    def kill(self) -> None:
        """What was taken is lost."""
        if self.protocol == "grpc":
            self._server.stop(None).wait()
        else:
            self._server.stop(how=socket.SHUT_RDWR)


class _Grpc(service_pb2_grpc.GRPCInferenceServiceServicer):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def ServerReady(self, _request, _context):  # noqa: N802 (the service's name)
        self._replica.proofs += 1
        return service_pb2.ServerReadyResponse(ready=self._replica.mode == "ok")

    def ModelInfer(self, request, context):  # noqa: N802
        return self._response(request.id, context)

    def ModelStreamInfer(self, requests, context):  # noqa: N802
        for request in requests:
            yield service_pb2.ModelStreamInferResponse(infer_response=self._response(request.id, context))
            final = service_pb2.ModelStreamInferResponse()
            final.infer_response.parameters["triton_final_response"].bool_param = True
            yield final

    def _response(self, request_id, context):
        row = self._replica.row()
        if (mode := self._replica.mode) != "ok":
            # Without words of the server, as a connection that broke.
            context.abort(grpc.StatusCode.UNAVAILABLE, REFUSALS.get(mode, "Socket closed"))
        raw = serialize_byte_tensor(np.array([row.encode()], dtype=np.object_)).item()
        response = service_pb2.ModelInferResponse(id=request_id, raw_output_contents=[raw])
        response.outputs.add(name="result", datatype="BYTES", shape=[1, 1])
        return response


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, place: tuple[str, int], replica: Replica, tls: Any) -> None:
        self.replica, self.open_connections = replica, set()
        super().__init__(place, _Handler)
        if tls is not None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def stop(self, how: int = socket.SHUT_RD) -> None:
        self.shutdown()
        self.server_close()
        deadline = time.monotonic() + 5
        while self.open_connections and time.monotonic() < deadline:
            for connection in list(self.open_connections):  # idle ones end, others after their answer
                with contextlib.suppress(OSError):
                    connection.shutdown(how)
            time.sleep(0.01)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.replica.connections += 1
        self.server.open_connections.add(self.connection)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.open_connections.discard(self.connection)

    def do_GET(self) -> None:
        replica = self.server.replica
        replica.proofs += 1
        self._answer(200 if replica.mode == "ok" else 503, b"")

    def do_POST(self) -> None:
        replica = self.server.replica
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        row = replica.row()
        if replica.mode == "break":
            self.close_connection = True
        elif replica.mode != "ok":
            self._answer(503, json.dumps({"error": REFUSALS[replica.mode]}).encode())
        elif "text" in body:
            self._answer(200, f"data: {json.dumps({'id': body['id'], 'result': row})}\n\n".encode())
        else:
            self._answer(200, json.dumps({"id": body["id"], "outputs": [{"name": "result", "data": [row]}]}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
