"""The gate over gRPC: KServe v2's service as tritonclient and perf_analyzer use it, and gRPC's health service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.aio import grpc

from build_tools.repository.control_key import CONTROL_HEADER
from build_tools.serving.gate.exchanges import Exchanges
from build_tools.serving.gate.gate import Gate
from build_tools.serving.gate.grpc_messages import parsed, read_call
from build_tools.serving.gate.grpc_retry import retry_hint
from build_tools.serving.gate.grpc_stream import answer_stream
from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.open_streams import OpenStreams
from build_tools.serving.gate.readings import Readings
from build_tools.serving.gate.refusal import Code, RefusedError
from build_tools.serving.gate.settings import Limits
from build_tools.serving.gate.upstream import SERVICE

_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"  # HealthCheckResponse
_MESSAGE_SECONDS = 20.0  # in which a request's message must have come
_LOAD_SECONDS = 120.0

Answer = Callable[[Exchange, bytes, float | None], Awaitable[bytes]]


def server_options(limits: Limits) -> list[tuple[str, int]]:
    """The options of the server. Source: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html"""
    options = {
        "grpc.so_reuseport": 1,  # the gate's processes share the port
        "grpc.max_receive_message_length": limits.body,  # also of what a compressed message becomes
        "grpc.max_send_message_length": -1,
        "grpc.max_metadata_size": limits.header,
        "grpc.absolute_max_metadata_size": limits.header,
        "grpc.max_allowed_incoming_connections": limits.connections,
        "grpc.server_handshake_timeout_ms": 10_000,
        "grpc.max_concurrent_streams": limits.in_flight * 2,
        # Clients look for lost connections every 20 s; by default a server ends those that ask more often than each
        # five minutes.
        "grpc.http2.min_ping_interval_without_data_ms": 10_000,
        "grpc.keepalive_permit_without_calls": 1,
    }
    return list(options.items())


class GrpcSide(grpc.GenericRpcHandler):
    """Answers what the gate offers, and nothing else."""

    def __init__(self, gate: Gate, exchanges: Exchanges) -> None:
        self._gate = gate
        self._exchanges = exchanges
        self._open_streams = OpenStreams()
        readings = Readings(gate)
        self._answers: dict[str, Answer] = {
            "ModelInfer": self._infer,
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": readings.model_ready,
            "ServerMetadata": readings.server_metadata,
            "ModelMetadata": readings.model_metadata,
            "ModelConfig": readings.model_config,
            "ModelStatistics": readings.model_statistics,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }
        self._handlers = {
            SERVICE + method: grpc.stream_unary_rpc_method_handler(self._handler(method)) for method in self._answers
        }
        self._handlers[SERVICE + "ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self._stream)
        self._handlers[_HEALTH] = grpc.unary_unary_rpc_method_handler(self._health)
        self._closed = grpc.stream_unary_rpc_method_handler(self._handler("other"))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Returns what answers a call of this method."""
        return self._handlers.get(handler_call_details.method, self._closed)

    def end_streams(self) -> None:
        """Ends the streams, each after what it has asked is answered."""
        self._open_streams.end()

    def _handler(self, method: str) -> Callable[[Any, grpc.aio.ServicerContext], Awaitable[bytes]]:
        answer = self._answers.get(method, _not_offered)

        # As a stream of requests, so that it begins before the message has come: headers are looked at first, and a
        # message that never ends does not wait for ever.
        async def handle(_requests: Any, context: grpc.aio.ServicerContext) -> bytes:
            metadata = text_metadata(context)
            exchange = None
            try:
                with self._exchanges.exchange("grpc", method, metadata) as exchange:
                    exchange.caller = self._gate.identify(metadata.get("authorization"), metadata.get(CONTROL_HEADER))
                    message = await _message(context)
                    exchange.received = len(message)
                    answered = await answer(exchange, message, context.time_remaining())
                    exchange.sent = len(answered)
                    return answered
            except RefusedError as error:
                return await _refuse(context, error, exchange.id if exchange else "")

        return handle

    async def _infer(self, exchange: Exchange, message: bytes, seconds: float | None) -> bytes:
        return await self._gate.infer(exchange, read_call(message), seconds)

    async def _stream(self, _requests: Any, context: grpc.aio.ServicerContext) -> None:
        metadata = text_metadata(context)
        try:
            caller = self._gate.identify(metadata.get("authorization"), metadata.get(CONTROL_HEADER))
            async with asyncio.timeout(self._gate.limits.stream_seconds):
                await answer_stream(self._gate, self._exchanges, self._open_streams, caller, metadata, context)
        except RefusedError as error:
            await _refuse(context, error)
        except TimeoutError:
            seconds = self._gate.limits.stream_seconds
            late = RefusedError(Code.UNAVAILABLE, f"the stream has been open for {seconds:g} s: open a new one.")
            await _refuse(context, late)

    async def _health(self, _request: bytes, _context: grpc.aio.ServicerContext) -> bytes:
        return _SERVING if self._gate.readiness.is_ready else _NOT_SERVING

    async def _live(self, _exchange: Exchange, _message: bytes, _seconds: float | None) -> bytes:
        return pb.ServerLiveResponse(live=self._gate.readiness.is_live).SerializeToString()

    async def _ready(self, _exchange: Exchange, _message: bytes, _seconds: float | None) -> bytes:
        return pb.ServerReadyResponse(ready=self._gate.readiness.is_ready).SerializeToString()

    async def _index(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        self._gate.check_control(exchange.caller)
        request = parsed(pb.RepositoryIndexRequest, message)
        if request.repository_name:
            raise RefusedError(Code.INVALID, "there is one repository: leave its name out.")
        rebuilt = pb.RepositoryIndexRequest(ready=request.ready)
        return await self._gate.upstream.ask("RepositoryIndex", rebuilt.SerializeToString(), _MESSAGE_SECONDS)

    async def _load(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        self._gate.check_control(exchange.caller)
        request = parsed(pb.RepositoryModelLoadRequest, message)
        if request.parameters or request.repository_name:
            # `config` and `file:` would serve what is not in the repository.
            raise RefusedError(Code.INVALID, "a model is loaded as it is in the repository: give its name alone.")
        self._gate.check_name(request.model_name)
        rebuilt = pb.RepositoryModelLoadRequest(model_name=request.model_name)
        return await self._gate.upstream.ask("RepositoryModelLoad", rebuilt.SerializeToString(), _LOAD_SECONDS)

    async def _unload(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        self._gate.check_control(exchange.caller)
        request = parsed(pb.RepositoryModelUnloadRequest, message)
        given = {name for name, value in request.parameters.items() if name != "unload_dependents" or value.bool_param}
        if given or request.repository_name:
            raise RefusedError(Code.INVALID, "a model is unloaded by itself: give its name alone.")
        self._gate.check_name(request.model_name)
        rebuilt = pb.RepositoryModelUnloadRequest(model_name=request.model_name)
        return await self._gate.upstream.ask("RepositoryModelUnload", rebuilt.SerializeToString(), _LOAD_SECONDS)


def text_metadata(context: grpc.aio.ServicerContext) -> Mapping[str, str]:
    """Returns a call's metadata, those in binary left out."""
    return {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}


async def _refuse(context: grpc.aio.ServicerContext, error: RefusedError, request: str | None = None) -> NoReturn:
    """Ends a call, for which its caller may not wait any more. request: its id; None in a stream, which has none."""
    sentence = error.sentence if request is None else error.for_request(request)
    with suppress(grpc.aio.InternalError):
        await context.abort(error.code.grpc, sentence, retry_hint(error.code, sentence, error.retry_after))
    raise asyncio.CancelledError


async def _message(context: grpc.aio.ServicerContext) -> bytes:
    try:
        async with asyncio.timeout(_MESSAGE_SECONDS):
            message = await context.read()
    except TimeoutError:
        raise RefusedError(Code.TOO_SLOW, f"the message did not come within {_MESSAGE_SECONDS:g} s.") from None
    if message is grpc.aio.EOF:
        raise RefusedError(Code.INVALID, "the call has no message.")
    return message


async def _not_offered(_exchange: Exchange, _message: bytes, _seconds: float | None) -> bytes:
    raise RefusedError(Code.NOT_OFFERED, "the gate does not offer this call.")
