"""The gate over HTTP: KServe v2 and Triton's generate endpoints, with a page that describes them at /docs."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp
from tritonclient.grpc import service_pb2 as pb

from build_tools.repository.control_key import CONTROL_HEADER
from build_tools.serving.gate.exchanges import REQUEST_ID, Exchanges
from build_tools.serving.gate.gate import NOT_OPEN, Gate
from build_tools.serving.gate.http_body import read_body
from build_tools.serving.gate.http_docs import DESCRIPTION, described
from build_tools.serving.gate.http_generate import event, read_generate, written_generate
from build_tools.serving.gate.http_infer import HEADER_LENGTH, read_infer, written
from build_tools.serving.gate.http_messages import as_json
from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.readings import Readings
from build_tools.serving.gate.refusal import Code, RefusedError
from build_tools.serving.gate.short_cut import ShortCut

TIMEOUT = "x-request-timeout-ms"
_MODEL = "/v2/models/{model}"
_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_CLOSING = (Code.TOO_LARGE, Code.TOO_SLOW)  # a part of the body may still be on its way

Answer = Callable[[Exchange, Request], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(gate: Gate, exchanges: Exchanges) -> ASGIApp:
    """Returns the ASGI app."""
    # Its page at /docs needs nothing from the internet.
    app = FastAPIOffline(title="Espalier", description=DESCRIPTION, redoc_url=None)
    side = _HttpSide(gate, exchanges)
    routes = side.routes()
    for verb, path, name, endpoint in routes:
        app.add_api_route(
            path,
            endpoint,
            methods=[verb],
            name=name,
            response_model=None,
            openapi_extra=described(name, path),
        )
    app.add_exception_handler(HTTPException, side.nothing_there)
    return ShortCut(app, {name: endpoint for verb, _, name, endpoint in routes if verb == "POST"})


class _HttpSide:
    def __init__(self, gate: Gate, exchanges: Exchanges) -> None:
        self._gate = gate
        self._exchanges = exchanges
        self._readings = Readings(gate)

    def routes(self) -> list[tuple[str, str, str, Endpoint]]:
        """(verb, path, name, endpoint) of each, in the order in which a path is looked up."""
        of_model = [
            ("POST", "/infer", "infer", self._endpoint("infer", self._infer)),
            ("POST", "/generate", "generate", self._endpoint("generate", self._generate)),
            ("POST", "/generate_stream", "generate_stream", self._generate_stream),
            ("GET", "", "metadata", self._endpoint("metadata", self._model_metadata)),
            ("GET", "/config", "config", self._endpoint("config", self._model_config)),
            ("GET", "/stats", "stats", self._endpoint("stats", self._model_statistics)),
            ("GET", "/ready", "model_ready", self._endpoint("model_ready", self._model_ready)),
        ]
        return [
            ("GET", "/v2", "server_metadata", self._endpoint("server_metadata", self._server_metadata)),
            ("GET", "/v2/health/live", "live", self._probe("live", self._live)),
            ("GET", "/v2/health/ready", "ready", self._probe("ready", self._ready)),
            ("GET", "/ready/{task}", "task_ready", self._probe("task_ready", self._task_ready)),
            ("GET", "/state", "state", self._probe("state", self._state)),
            ("GET", "/tasks", "tasks", self._endpoint("tasks", self._tasks)),
            ("GET", "/v2/models/stats", "all_stats", self._endpoint("all_stats", self._model_statistics)),
            *(
                (verb, f"{base}{rest}", name, endpoint)
                for base in (_MODEL, f"{_MODEL}/versions/{{version}}")
                for verb, rest, name, endpoint in of_model
            ),
        ]

    def _endpoint(self, name: str, answer: Answer) -> Endpoint:
        """Returns what FastAPI calls: the answer to a caller who is known, or the refusal as JSON."""

        async def identified(exchange: Exchange, request: Request) -> Response:
            exchange.caller = self._gate.identify(request.headers.get("authorization"), None)
            return await answer(exchange, request)

        return self._probe(name, identified)

    def _probe(self, name: str, answer: Answer) -> Endpoint:
        """The same for callers without a key."""

        async def endpoint(request: Request) -> Response:
            exchange = None
            try:
                with self._exchanges.exchange("http", name, _headers(request)) as exchange:
                    response = await answer(exchange, request)
                    exchange.sent = len(response.body)
            except RefusedError as error:
                response = _refusal(error, exchange)
            return _with_id(response, exchange)

        return endpoint

    async def nothing_there(self, request: Request, error: Exception) -> Response:
        """The answer to a path or verb that the gate does not have."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        sentence = "the gate has no such path." if status == 404 else "the path is not for this verb."
        try:
            with self._exchanges.exchange("http", "other", _headers(request)):
                raise RefusedError(Code.NOT_FOUND, sentence)
        except RefusedError:
            return Response(orjson.dumps({"error": sentence}), status, media_type=_JSON)

    async def _infer(self, exchange: Exchange, request: Request) -> Response:
        body = await self._body(exchange, request)
        model, version = _model(request)
        self._gate.spec(exchange.caller, model)
        call, binary = read_infer(model, version, body, request.headers.get(HEADER_LENGTH))
        answer = await _unless_left(request, self._gate.infer(exchange, call, _seconds(request)))
        content, json_size = written(answer, binary)
        if not json_size:
            return Response(content, media_type=_JSON)
        return Response(content, media_type="application/octet-stream", headers={HEADER_LENGTH: str(json_size)})

    async def _generate(self, exchange: Exchange, request: Request) -> Response:
        body = await self._body(exchange, request)
        model, version = _model(request)
        spec = self._gate.spec(exchange.caller, model)
        call = read_generate(model, version, spec, body)
        if not spec.decoupled:
            answer = await _unless_left(request, self._gate.infer(exchange, call, _seconds(request)))
            return Response(written_generate(pb.ModelInferResponse.FromString(answer)), media_type=_JSON)
        async with aclosing(self._gate.stream(exchange, call, _seconds(request))) as stream:
            responses = await _unless_left(request, _all(stream))
        if len(responses) != 1:
            raise RefusedError(
                Code.INVALID, f"{model} answers once per task: use generate_stream, ask for one task, or ask nlu."
            )
        return Response(written_generate(responses[0]), media_type=_JSON)

    async def _generate_stream(self, request: Request) -> Response:
        # Its exchange goes on after the endpoint has returned, so the events keep it.
        exchange = Exchange("http", "generate_stream")
        events = self._events(request, exchange)
        try:
            first = await _unless_left(request, anext(events))
        except RefusedError as error:
            response = _refusal(error, exchange)
            response.body = event(bytes(response.body))
            response.headers["content-length"] = str(len(response.body))
            response.headers["content-type"] = _EVENTS
            return _with_id(response, exchange)
        return _with_id(StreamingResponse(_from_first(first, events, exchange), media_type=_EVENTS), exchange)

    async def _events(self, request: Request, outside: Exchange) -> AsyncGenerator[bytes, None]:
        headers = _headers(request)
        with self._exchanges.exchange("http", "generate_stream", headers) as exchange:
            exchange.caller = self._gate.identify(headers.get("authorization"), None)
            outside.id = exchange.id
            body = await self._body(exchange, request)
            model, version = _model(request)
            spec = self._gate.spec(exchange.caller, model)
            call = read_generate(model, version, spec, body)
            outside.id = call.id or exchange.id
            if not spec.decoupled:
                answer = await self._gate.infer(exchange, call, _seconds(request))
                yield event(written_generate(pb.ModelInferResponse.FromString(answer)))
                return
            async with aclosing(self._gate.stream(exchange, call, _seconds(request))) as stream:
                async for response in stream:
                    content = event(written_generate(response))
                    exchange.sent += len(content)
                    yield content

    async def _body(self, exchange: Exchange, request: Request) -> bytes:
        self._gate.readiness.check()  # before a body is read for nothing
        body = await read_body(request, self._gate.limits.body)
        exchange.received = len(body)
        return body

    async def _live(self, _exchange: Exchange, _request: Request) -> Response:
        return Response(status_code=200 if self._gate.readiness.is_live else 503, media_type="text/plain")

    async def _ready(self, _exchange: Exchange, _request: Request) -> Response:
        self._gate.readiness.check()
        return Response(media_type="text/plain")

    async def _task_ready(self, _exchange: Exchange, request: Request) -> Response:
        if not self._gate.readiness.has_task(request.path_params["task"]):
            raise RefusedError(Code.UNAVAILABLE, "the task's live version does not answer, or there is no such task.")
        return Response(media_type="text/plain")

    async def _state(self, _exchange: Exchange, request: Request) -> Response:
        """Also while no requests are taken."""
        if not self._gate.is_control(request.headers.get(CONTROL_HEADER)):
            raise RefusedError(Code.FORBIDDEN, NOT_OPEN)
        return Response(self._gate.readiness.self_report().model_dump_json(), media_type=_JSON)

    async def _tasks(self, exchange: Exchange, _request: Request) -> Response:
        return Response(orjson.dumps(self._gate.task_list.of(exchange.caller)), media_type=_JSON)

    async def _server_metadata(self, exchange: Exchange, _request: Request) -> Response:
        answer = await self._readings.server_metadata(exchange, b"", None)
        return _message(pb.ServerMetadataResponse, answer)

    async def _model_metadata(self, exchange: Exchange, request: Request) -> Response:
        model, version = _model(request)
        message = pb.ModelMetadataRequest(name=model, version=version).SerializeToString()
        return _message(pb.ModelMetadataResponse, await self._readings.model_metadata(exchange, message, None))

    async def _model_config(self, exchange: Exchange, request: Request) -> Response:
        model, version = _model(request)
        message = pb.ModelConfigRequest(name=model, version=version).SerializeToString()
        answer = pb.ModelConfigResponse.FromString(await self._readings.model_config(exchange, message, None))
        return Response(orjson.dumps(as_json(answer.config)), media_type=_JSON)

    async def _model_statistics(self, exchange: Exchange, request: Request) -> Response:
        model, version = _model(request)
        message = pb.ModelStatisticsRequest(name=model, version=version).SerializeToString()
        return _message(pb.ModelStatisticsResponse, await self._readings.model_statistics(exchange, message, None))

    async def _model_ready(self, exchange: Exchange, request: Request) -> Response:
        model, version = _model(request)
        message = pb.ModelReadyRequest(name=model, version=version).SerializeToString()
        answer = pb.ModelReadyResponse.FromString(await self._readings.model_ready(exchange, message, None))
        return Response(status_code=200 if answer.ready else 400, media_type="text/plain")  # 400 as Triton


def _headers(request: Request) -> Mapping[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}


def _model(request: Request) -> tuple[str, str]:
    return request.path_params.get("model", ""), request.path_params.get("version", "")


def _seconds(request: Request) -> float | None:
    given = request.headers.get(TIMEOUT)
    if given is None:
        return None
    try:
        milliseconds = float(given)
    except ValueError:
        milliseconds = math.nan
    if not 0 < milliseconds <= 3.6e6:
        raise RefusedError(Code.INVALID, f"the header {TIMEOUT} is not a number of milliseconds up to an hour.")
    return milliseconds / 1000


def _refusal(error: RefusedError, exchange: Exchange | None) -> Response:
    content = orjson.dumps({"error": error.for_request(exchange.id if exchange else "")})
    response = Response(content, error.code.http, media_type=_JSON)
    if error.retry_after is not None:
        response.headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if error.code in _CLOSING:
        response.headers["connection"] = "close"
    if error.code is Code.UNAUTHENTICATED:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _with_id(response: Response, exchange: Exchange | None) -> Response:
    if exchange is not None and exchange.id.isascii() and exchange.id.isprintable():
        response.headers[REQUEST_ID] = exchange.id
    return response


async def _unless_left(request: Request, answer: Awaitable[Any]) -> Any:
    """Awaits the answer, and ends its computation if the caller hangs up before."""
    answering, leaving = asyncio.ensure_future(answer), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        raise RefusedError(Code.CANCELLED, "the caller left before the answer.")
    finally:
        answering.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _all(stream: AsyncIterator[pb.ModelInferResponse]) -> list[pb.ModelInferResponse]:
    return [response async for response in stream]


async def _from_first(first: bytes, events: AsyncIterator[bytes], exchange: Exchange) -> AsyncIterator[bytes]:
    yield first
    try:
        async for one in events:
            yield one
    except RefusedError as error:  # too late for a status
        yield event(orjson.dumps({"error": error.for_request(exchange.id)}))


def _message(kind: Any, answer: bytes) -> Response:
    return Response(orjson.dumps(as_json(kind.FromString(answer))), media_type=_JSON)
