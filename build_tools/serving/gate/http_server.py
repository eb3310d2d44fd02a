"""uvicorn on the public HTTP port, with bounds on what it reads before it knows what is asked."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from build_tools.serving.gate.settings import Limits

_BACKLOG = 2048
_IDLE_SECONDS = 75  # an idle connection is kept this long: clients use theirs again
_HEADER_SECONDS = 10.0  # in which a request's headers must have come, once the first byte or connection has
_WRITE_SECONDS = 30.0  # in which a caller must have read what was written for it
_MOST_CHUNKS = 20_000  # of a body in chunks; 64 kB in a chunk each is what clients send
_CONTENT_TYPE = b"content-type: application/json\r\nconnection: close\r\n"


class HttpServer:
    """Serves an ASGI app on `address`, port `port`, which other processes of the server listen on too."""

    def __init__(self, app: Any, address: str, port: int, limits: Limits, tls: ssl.SSLContext | None = None) -> None:
        self._listener = _listener(address, port)
        config = uvicorn.Config(
            app,
            http=_protocol(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever is beyond a proxy does not say who it is
            timeout_keep_alive=_IDLE_SECONDS,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once it listens."""
        self._task = asyncio.create_task(self._server.serve([self._listener]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError("the HTTP server did not start")
            await asyncio.sleep(0.01)

    async def stop(self, seconds: float) -> None:
        """Stops listening, and gives requests in flight so many seconds."""
        self._server.config.timeout_graceful_shutdown = round(seconds)
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process, which stops both protocols."""
        yield


def _listener(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, port))
    listener.listen(_BACKLOG)
    return listener


def _protocol(limits: Limits) -> type[HttpToolsProtocol]:
    """Returns uvicorn's protocol with these bounds. Over one, it answers once and ends the connection."""

    class BoundedHttp(HttpToolsProtocol):
        _headers_size = 0
        _chunks = 0
        _is_in_headers = True
        _timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_headers()
            if len(self.connections) > limits.connections:
                self._refuse(503, "there are too many connections: ask again later.")

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            self._stop_write_timer()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._write_timer = self.loop.call_later(_WRITE_SECONDS, self.transport.abort)

        def resume_writing(self) -> None:
            self._stop_write_timer()
            super().resume_writing()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            if self._is_in_headers:
                if self._timer is None:
                    self._expect_headers()
                # Whole headers that came in one piece have been looked at by then, and their body is not counted.
                self._headers_size += min(len(data), _headers_end(data))
                if self._headers_size > limits.header:
                    self._refuse(431, "the headers are larger than the gate reads.")
                    return
            super().data_received(data)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._chunks = 0

        def on_headers_complete(self) -> None:
            self._is_in_headers = False
            self._stop_timer()
            super().on_headers_complete()

        def on_chunk_header(self) -> None:
            """Of httptools: a chunk begins."""
            self._chunks += 1
            if self._chunks == _MOST_CHUNKS:
                self._refuse(413, f"the body comes in more than {_MOST_CHUNKS} chunks.")

        def on_body(self, body: bytes) -> None:
            if not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._is_in_headers = True
            self._headers_size = 0

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002
            self._refuse(400, "what was sent is not HTTP.")

        def _expect_headers(self) -> None:
            self._timer = self.loop.call_later(_HEADER_SECONDS, self._too_slow)

        def _too_slow(self) -> None:
            self._timer = None
            if self._is_in_headers and not self.transport.is_closing():
                self._refuse(408, f"the headers did not come within {_HEADER_SECONDS:g} s.")

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _stop_write_timer(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

        def _refuse(self, status: int, sentence: str) -> None:
            body = b'{"error":"' + sentence.encode() + b'"}'
            length = f"content-length: {len(body)}\r\n\r\n".encode()
            self.transport.write(f"HTTP/1.1 {status} Refused\r\n".encode() + _CONTENT_TYPE + length + body)
            self.transport.close()

    return BoundedHttp


def _headers_end(data: bytes) -> int:
    end = data.find(b"\r\n\r\n")
    return len(data) if end < 0 else end
