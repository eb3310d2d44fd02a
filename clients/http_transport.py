"""The router over HTTP, blocking and asyncio: KServe v2 JSON for batches, generate_stream for streams.

The blocking form uses the standard library: tritonclient's blocking HTTP client may not be shared between
threads, and neither of tritonclient's HTTP clients speaks generate_stream.
"""

import json
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from http.client import BadStatusLine, HTTPException, HTTPMessage
from typing import Any

from tritonclient.http.aio import aiohttp  # tritonclient's own aiohttp, whose version it chooses

from clients import failure
from clients.address import Address
from clients.http_connections import HttpConnections, NeverSentError
from clients.http_tls import is_closed, untrusted_reason
from clients.proxy import described, proxy_for
from clients.request import Request
from clients.server_sent_events import EventReader
from clients.terms import Terms
from espalier_errors import EspalierError

_CHUNK = 65536  # bytes; the most read at once from a stream
_READY = (200, 404)  # 404: it does not know the question
_NEVER_SENT = (NeverSentError, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_NOT_NOW = (429, 502, 503, 504)
_BAD_REQUEST = (400, 404, 405, 411, 413, 415, 422, 431, 501)
# RecursionError: JSON nested too deeply.
_WRONG_FORM = (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError)

Headers = HTTPMessage | Mapping[str, str]


class HttpTransport:
    """Blocking form; see clients.transport.Transport. The timeout is for each wait on the socket."""

    def __init__(self, address: Address, terms: Terms) -> None:
        self._calls = HttpCalls(address, terms)
        self._connections = HttpConnections(address, terms)

    def infer(self, request: Request) -> list[str]:
        try:
            with self._connections.post(
                self._calls.infer_path, self._calls.infer_body(request), request.headers
            ) as response:
                if response.status != 200:
                    raise self._calls.refusal(response.status, response.read(), response.headers)
                return self._calls.rows(request, response.read())
        except (OSError, HTTPException) as error:
            raise self._calls.failure(error) from None

    def stream(self, request: Request) -> Generator[list[str], None, None]:
        events = EventReader()
        try:
            with self._connections.post(self._calls.stream_path, _generate_body(request), request.headers) as response:
                if response.status != 200:
                    raise self._calls.refusal(response.status, response.read(), response.headers)
                while chunk := response.read1(_CHUNK):
                    for event in events.feed(chunk):
                        yield [self._calls.row_of_event(request, event)]
                if response.length or not events.is_whole:  # read1 does not say that the connection ended in mid-body
                    raise self._calls.cut_short()
        except (OSError, HTTPException) as error:
            raise self._calls.failure(error) from None

    def is_ready(self) -> bool:
        try:
            with self._connections.get(self._calls.ready_path, self._calls.ready_seconds) as response:
                response.read()
                return response.status in _READY
        except (OSError, HTTPException):
            return False

    def close(self) -> None:
        self._connections.close()


class AsyncHttpTransport:
    """asyncio form; see clients.transport.AsyncTransport. The timeout is for a whole request or stream."""

    def __init__(self, address: Address, terms: Terms) -> None:
        self._calls = HttpCalls(address, terms)
        reuse = aiohttp.TraceConfig()
        reuse.on_connection_reuseconn.append(_note_reuse)
        self._session = aiohttp.ClientSession(
            base_url=f"{'https' if address.secure else 'http'}://{address.target}",
            headers={"Content-Type": "application/json"} | terms.credentials.headers,
            connector=aiohttp.TCPConnector(
                ssl=terms.credentials.ssl_context() if address.secure else True,
                resolver=None if address.ip is None else _OneAddress(address.ip),
            ),
            proxy=proxy_for(address),
            trace_configs=[reuse],
        )

    async def infer(self, request: Request) -> list[str]:
        try:
            async with self._post(self._calls.infer_path, self._calls.infer_body(request), request) as response:
                if response.status != 200:
                    raise self._calls.refusal(response.status, await response.read(), response.headers)
                return self._calls.rows(request, await response.read())
        except (OSError, aiohttp.ClientError) as error:
            raise self._calls.failure(error) from None

    async def stream(self, request: Request) -> AsyncGenerator[list[str], None]:
        events = EventReader()
        try:
            async with self._post(self._calls.stream_path, _generate_body(request), request) as response:
                if response.status != 200:
                    raise self._calls.refusal(response.status, await response.read(), response.headers)
                async for chunk in response.content.iter_any():
                    for event in events.feed(chunk):
                        yield [self._calls.row_of_event(request, event)]
                if not events.is_whole:
                    raise self._calls.cut_short()
        except (OSError, aiohttp.ClientError) as error:
            raise self._calls.failure(error) from None

    async def is_ready(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=self._calls.ready_seconds)
        try:
            async with self._session.get(self._calls.ready_path, allow_redirects=False, timeout=timeout) as response:
                return response.status in _READY
        except (OSError, aiohttp.ClientError):
            return False

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def _post(self, path: str, body: bytes, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        timeout = self._calls.aiohttp_timeout(request)
        while True:
            reused: list[bool] = []
            try:
                response = await self._session.post(
                    path,
                    data=body,
                    headers=request.headers,
                    allow_redirects=False,
                    timeout=timeout,
                    trace_request_ctx=reused,
                )
            except (ConnectionError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not reused:
                    raise
                continue  # as HttpConnections does: the server may close an idle connection at any time
            async with response:
                yield response
            return


async def _note_reuse(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
    """Notes in the request's own list that it goes over an idle connection."""
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.append(True)


class _OneAddress(aiohttp.abc.AbstractResolver):
    """Finds the one address of this server. The session still asks it by its name."""

    def __init__(self, ip: str) -> None:
        self._ip = ip

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        family = socket.AF_INET6 if ":" in self._ip else socket.AF_INET
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [{"hostname": host, "host": self._ip, "port": port, "family": family, "proto": 0, "flags": flags}]

    async def close(self) -> None:
        pass


class HttpCalls:
    """What all that ask over HTTP share: endpoints, bodies, and the error that a failed call becomes."""

    def __init__(self, address: Address, terms: Terms) -> None:
        self.infer_path = f"{address.path}/v2/models/nlu/infer"
        self.stream_path = f"{address.path}/v2/models/nlu_stream/generate_stream"
        self._url = described(address)
        self._secure = address.secure
        self.ready_path = f"{address.path}/v2/health/ready"
        self.ready_seconds = terms.ready_seconds
        self._terms = terms

    def aiohttp_timeout(self, request: Request) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=self._terms.seconds(request.seconds), sock_connect=self._terms.connect_seconds
        )

    def infer_body(self, request: Request) -> bytes:
        inputs = [
            {"name": column.name, "datatype": column.datatype, "shape": [len(request), 1], "data": column.values}
            for column in request.columns()
        ]
        parameters = self._terms.parameters(request.seconds)
        body = {"id": request.id, "parameters": parameters, "inputs": inputs, "outputs": [{"name": "result"}]}
        return json.dumps(body).encode()

    def rows(self, request: Request, body: bytes) -> list[str]:
        try:
            response = json.loads(body)
            failure.check_id(request.id, response.get("id"))
            rows = next(output["data"] for output in response["outputs"] if output["name"] == "result")
            return list(rows)
        except _WRONG_FORM:
            raise failure.unreadable("no output named result") from None

    def row_of_event(self, request: Request, event: str) -> str:
        try:
            message = json.loads(event)
            failure.check_id(request.id, message.get("id"))
            if "error" in message:
                # Too late for a status code; a request that is wrong is refused before the first answer.
                raise failure.refusal(self._url, str(message["error"]), bad_request=False)
            return message["result"]
        except _WRONG_FORM:
            raise failure.unreadable("no result in an event of the stream") from None

    def refusal(self, status: int, body: bytes, headers: Headers) -> EspalierError:
        if 300 <= status < 400:
            return failure.redirected(self._url, headers.get("Location"))
        sentence = _error_in(body)
        if status == 401:
            return failure.unauthenticated(self._url, sentence)
        if status == 403:
            return failure.forbidden(sentence)
        if status == 408:  # as DEADLINE_EXCEEDED over gRPC: the request came too slowly
            return failure.too_slow(self._url, self._terms.timeout)
        if status in _NOT_NOW and not failure.is_servers(sentence or ""):
            return failure.not_now(self._url, status)
        is_bad_request = status in _BAD_REQUEST and sentence is not None
        return failure.refusal(self._url, sentence or f"HTTP status {status}", is_bad_request)

    def cut_short(self) -> EspalierError:
        return failure.cut_short(self._url)

    def failure(self, error: Exception) -> EspalierError:
        sent = not isinstance(error, _NEVER_SENT)
        if isinstance(error, NeverSentError):
            error = error.cause
        if isinstance(error, TimeoutError):
            if not sent and self._terms.connect_seconds is not None:
                return self._unreachable(f"no connection within {self._terms.connect_seconds:g} s", sent)
            return failure.too_slow(self._url, self._terms.timeout)
        if (reason := untrusted_reason(error)) is not None:
            return failure.untrusted(self._url, reason)
        no_http = isinstance(error, BadStatusLine | aiohttp.ClientResponseError)
        if no_http and not isinstance(error, ConnectionError):  # RemoteDisconnected is both
            return failure.unreachable(self._url, "what answers there does not speak HTTP")
        if is_closed(error):
            return self._unreachable("connection closed", sent)
        number = getattr(error, "errno", None)
        # asyncio and aiohttp wrap the system's message in long sentences, so it is looked up by its number. Only a
        # failed name look-up has a negative number and a message of its own.
        reason = os.strerror(number) if number and number > 0 else getattr(error, "strerror", None)
        return self._unreachable(reason or str(error) or type(error).__name__, sent)

    def _unreachable(self, reason: str, sent: bool) -> EspalierError:
        return failure.unreachable(self._url, reason, self._secure, sent)


def _error_in(body: bytes) -> str | None:
    """Returns the sentence of an error response of Triton, None if the body is not one."""
    # generate_stream also sends an error as an event, with the error's status code.
    text = body.decode(errors="replace").strip().removeprefix("data:")
    try:
        return str(json.loads(text)["error"])
    except _WRONG_FORM:
        return None


def _generate_body(request: Request) -> bytes:
    """The generate extension takes one text: the first row of each column."""
    row: dict[str, Any] = {column.name: column.values[0] for column in request.columns()}
    return json.dumps({"id": request.id, **row}).encode()
