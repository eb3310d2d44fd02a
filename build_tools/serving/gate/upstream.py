"""Triton behind the gate, over gRPC on loopback."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from tritonclient.grpc import service_pb2
from tritonclient.grpc.aio import grpc

from build_tools.serving.gate.refusal import Code, OutOfTimeError, RefusedError
from build_tools.serving.triton.triton_key import KEY_METADATA
from clients.failure import is_servers

SERVICE = "/inference.GRPCInferenceService/"
_GRACE_SECONDS = 1.0  # after the deadline, in which Triton says itself that it has passed
_DRAIN_SECONDS = 30.0
_TOLD_SECONDS = 1.0
_told = -_TOLD_SECONDS  # when the log was told last that Triton cannot be reached
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    # Triton may be started again at any time: by default gRPC would wait up to two minutes between attempts. The first
    # number is how long one attempt may take, on a busy machine too.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: Code.INVALID,
    grpc.StatusCode.CANCELLED: Code.CANCELLED,
    grpc.StatusCode.UNAVAILABLE: Code.UNAVAILABLE,
    # The gate asks only for models that there are, so one that Triton does not know is just being brought back.
    grpc.StatusCode.NOT_FOUND: Code.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Code.NOT_OFFERED,
}
# A stream's errors carry no status. These words begin what a model's exception becomes; the others are refusals.
_BROKE = re.compile(r"^Failed to process the request\(s\)|^in ensemble .*Failed to process")
_LATE = re.compile(r"Request timeout expired|the request's timeout of \S+ s has passed")
_DEAD = re.compile(r"[Ss]tub process .*(not healthy|unhealthy)")  # the supervisor brings it back
# A scheduler refuses requests while the server stops, and also when a newly loaded model has just replaced its own: the
# request has not begun, and the next one goes to the new model.
_REPLACED = "scheduler for model has stopped"
# gRPC's own words for a connection that is lost, which name addresses and keys.
_LOST = re.compile(r"ipv[46]:|ocket|onnect|GOAWAY|recvmsg|RST_STREAM|triton-grpc-protocol")


class Upstream:
    """One connection to Triton. Calls raise RefusedError with Triton's own sentence, or with ours where it has none."""

    def __init__(self, target: str, key: str) -> None:
        """target: host:port. key: which opens Triton's gRPC endpoint."""
        self._metadata = ((KEY_METADATA, key),)
        self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        self._channel.get_state(try_to_connect=True)  # not only at the first request
        self._infer = self._channel.unary_unary(f"{SERVICE}ModelInfer")
        self._stream = self._channel.stream_stream(f"{SERVICE}ModelStreamInfer")
        self._others: dict[str, grpc.aio.UnaryUnaryMultiCallable] = {}

    async def infer(self, message: bytes, seconds: float) -> bytes:
        """Sends a ModelInferRequest and returns the ModelInferResponse. seconds: until the caller's deadline."""
        try:
            return await self._infer_once(message, seconds)
        except RefusedError as error:
            if _REPLACED not in error.sentence:
                raise
        return await self._infer_once(message, seconds)

    async def stream(self, message: bytes, seconds: float) -> AsyncGenerator[service_pb2.ModelInferResponse, None]:
        """Sends one ModelInferRequest and yields each response, the empty one with the final flag included.

        Raises RefusedError if one of them is an error.
        """
        has_begun = False
        try:
            async with aclosing(self._stream_once(message, seconds)) as responses:
                async for response in responses:
                    has_begun = True
                    yield response
            return
        except RefusedError as error:
            if has_begun or _REPLACED not in error.sentence:
                raise
        async with aclosing(self._stream_once(message, seconds)) as responses:
            async for response in responses:
                yield response

    async def _infer_once(self, message: bytes, seconds: float) -> bytes:
        try:
            return await self._infer(message, timeout=seconds + _GRACE_SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _refused(error, seconds) from None

    async def _stream_once(
        self, message: bytes, seconds: float
    ) -> AsyncGenerator[service_pb2.ModelInferResponse, None]:
        call = self._stream(_once(message), timeout=seconds + _GRACE_SECONDS, metadata=self._metadata)
        has_erred = False
        try:
            async for raw in call:
                response = service_pb2.ModelStreamInferResponse.FromString(raw)
                if response.error_message:
                    has_erred = True
                    raise refused_in_stream(response.error_message)
                yield response.infer_response
        except grpc.RpcError as error:
            raise _refused(error, seconds) from None
        finally:
            if has_erred:
                # Cancelled right after an error, Triton 2.51 was seen to keep the request and to stop only after 30 s.
                asyncio.ensure_future(_drained(call))  # noqa: RUF006, ends by itself
            else:
                call.cancel()  # stops the work when the caller leaves early; nothing to stop otherwise

    async def ask(self, method: str, message: bytes, seconds: float) -> bytes:
        """Makes any other unary call of KServe v2 or Triton."""
        if method not in self._others:
            self._others[method] = self._channel.unary_unary(f"{SERVICE}{method}")
        try:
            return await self._others[method](message, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _refused(error, seconds) from None

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()


def refused_in_stream(sentence: str) -> RefusedError:
    """Returns the error for an error message of a stream, whose class only its words tell."""
    if _BROKE.search(sentence):
        return _refused_by(Code.INTERNAL, sentence)
    return _refused_by(Code.CANCELLED if "was cancelled" in sentence else Code.INVALID, sentence)


def _refused(error: grpc.RpcError, seconds: float) -> RefusedError:
    status, sentence = error.code(), error.details() or ""
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return OutOfTimeError(f"the request's timeout of {seconds:g} s has passed.")
    if status is grpc.StatusCode.UNAVAILABLE and _LOST.search(sentence):
        _lost(sentence)
        return RefusedError(Code.UNAVAILABLE, "the server is being started again: ask again.", 1.0)
    return _refused_by(_CODES.get(status, Code.INTERNAL), sentence)


def _refused_by(code: Code, sentence: str) -> RefusedError:
    """Returns the error of this class, unless its words say that the server cannot answer now."""
    if _LATE.search(sentence):
        return OutOfTimeError(_first_line(sentence))
    later = code is not Code.CANCELLED and (_DEAD.search(sentence) or is_servers(sentence))
    return RefusedError(Code.UNAVAILABLE if later else code, _first_line(sentence))


def _lost(sentence: str) -> None:
    """Tells the log gRPC's own words, once a second at most: every request meets the same."""
    global _told
    if time.monotonic() - _told > _TOLD_SECONDS:
        _told = time.monotonic()
        logging.getLogger(__name__).warning("Triton cannot be reached: %s", sentence)


def _first_line(sentence: str) -> str:
    """Without the traceback, which belongs into the server's log."""
    return (sentence.strip() or "no reason given").splitlines()[0]


async def _once(message: bytes) -> AsyncIterator[bytes]:
    yield message


async def _drained(call: grpc.aio.StreamStreamCall) -> None:
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in call:
                pass
    except (grpc.RpcError, TimeoutError):
        pass
