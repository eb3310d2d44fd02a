"""The router over gRPC, blocking and asyncio, on tritonclient's generated KServe v2 stub.

The stub instead of tritonclient's client classes: it serves both forms with the same messages, its stream
can be cancelled without leaving a thread behind, and any number of streams share one connection.
"""

import os
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.grpc.aio import grpc  # tritonclient's own grpcio, whose version it chooses
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from clients import failure
from clients.address import Address
from clients.grpc_channel import channel_options, channel_target, check_no_fork
from clients.grpc_tls import channel_credentials, untrusted_reason
from clients.proxy import described
from clients.request import Column, Request
from clients.terms import Terms
from espalier_errors import EspalierError

# gRPC's own words for a call that no server has got; others, such as "Socket closed", may come after it was sent. The
# last is a proxy that has no server to ask.
_NEVER_SENT = (
    "failed to connect to all addresses",
    "DNS resolution failed",
    "empty address list",
    "Received http2 header with status: 503",
)
_BAD_REQUEST = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED)

# No "triton_grpc_error" header on streams, although it would bring status codes: under it Triton 2.51 was
# seen to crash (signal 11) after error responses of a decoupled model.


class GrpcTransport:
    """Blocking form; see clients.transport.Transport."""

    def __init__(self, address: Address, terms: Terms) -> None:
        check_no_fork()
        self._pid = os.getpid()
        self._calls = _Calls(address, terms)
        target, options = channel_target(address), channel_options(address, terms.timeout, terms.connect_seconds)
        if address.secure:
            self._channel = grpc.secure_channel(target, channel_credentials(terms.credentials), options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def infer(self, request: Request) -> list[bytes]:
        try:
            response = self._stub.ModelInfer(self._calls.message("nlu", request), **self._calls.terms(request))
        except grpc.RpcError as error:
            raise self._calls.failure(error) from None
        return _rows(request, response)

    def stream(self, request: Request) -> Generator[list[bytes], None, None]:
        call = self._stub.ModelStreamInfer(
            iter([self._calls.message("nlu_stream", request)]), **self._calls.terms(request)
        )
        events = _Events(self._calls, request)
        try:
            for response in call:
                yield from events.rows(response)
            events.check_end()
        except grpc.RpcError as error:
            raise self._calls.failure(error) from None
        finally:
            if os.getpid() == self._pid:  # in a forked child the call is the parent's
                call.cancel()  # stops the server's work when the caller leaves early; nothing to stop otherwise

    def is_ready(self) -> bool:
        try:
            return bool(self._stub.ServerReady(service_pb2.ServerReadyRequest(), **self._calls.ready_terms()).ready)
        except grpc.RpcError as error:
            return self._calls.knows_no_readiness(error)

    def close(self) -> None:
        self._channel.close()


class AsyncGrpcTransport:
    """asyncio form; see clients.transport.AsyncTransport."""

    def __init__(self, address: Address, terms: Terms) -> None:
        check_no_fork()
        self._calls = _Calls(address, terms)
        target, options = channel_target(address), channel_options(address, terms.timeout, terms.connect_seconds)
        if address.secure:
            self._channel = grpc.aio.secure_channel(target, channel_credentials(terms.credentials), options)
        else:
            self._channel = grpc.aio.insecure_channel(target, options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def infer(self, request: Request) -> list[bytes]:
        try:
            response = await self._stub.ModelInfer(self._calls.message("nlu", request), **self._calls.terms(request))
        except grpc.RpcError as error:
            raise self._calls.failure(error) from None
        return _rows(request, response)

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        call = self._stub.ModelStreamInfer(
            iter([self._calls.message("nlu_stream", request)]), **self._calls.terms(request)
        )
        events = _Events(self._calls, request)
        try:
            async for response in call:
                for rows in events.rows(response):
                    yield rows
            events.check_end()
        except grpc.RpcError as error:
            raise self._calls.failure(error) from None
        finally:
            call.cancel()

    async def is_ready(self) -> bool:
        try:
            response = await self._stub.ServerReady(service_pb2.ServerReadyRequest(), **self._calls.ready_terms())
            return bool(response.ready)
        except grpc.RpcError as error:
            return self._calls.knows_no_readiness(error)

    async def close(self) -> None:
        await self._channel.close()


class _Calls:
    """What both forms share: messages, deadline and errors."""

    def __init__(self, address: Address, terms: Terms) -> None:
        self._headers = terms.credentials.headers
        self._terms = terms
        self._url = described(address)
        self._secure = address.secure

    def terms(self, request: Request) -> dict[str, Any]:
        """Returns the arguments of a call beside its message."""
        seconds = self._terms.seconds(request.seconds)
        return {"timeout": seconds, "metadata": tuple((self._headers | request.headers).items())}

    def ready_terms(self) -> dict[str, Any]:
        """The same for the question whether the server is ready."""
        return {"timeout": self._terms.ready_seconds, "metadata": tuple(self._headers.items())}

    @staticmethod
    def knows_no_readiness(error: grpc.RpcError) -> bool:
        """Whether the server has refused that question because it does not know it."""
        return error.code() == grpc.StatusCode.UNIMPLEMENTED

    def message(self, model: str, request: Request) -> service_pb2.ModelInferRequest:
        message = service_pb2.ModelInferRequest(
            model_name=model,
            id=request.id,
            outputs=[service_pb2.ModelInferRequest.InferRequestedOutputTensor(name="result")],
        )
        for column in request.columns():
            message.inputs.add(name=column.name, datatype=column.datatype, shape=[len(request), 1])
            message.raw_input_contents.append(_raw(column))
        for name, value in self._terms.parameters(request.seconds).items():
            message.parameters[name].int64_param = value
        if model == "nlu_stream":
            # The final flag comes in a message of its own only when asked for; without it a stream that the
            # server cut short would look complete.
            message.parameters["triton_enable_empty_final_response"].bool_param = True
        return message

    def failure(self, error: grpc.RpcError) -> EspalierError:
        code, sentence = error.code(), error.details() or ""
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return failure.too_slow(self._url, self._terms.timeout)
        if code == grpc.StatusCode.UNAUTHENTICATED:
            return failure.unauthenticated(self._url, sentence)
        if code == grpc.StatusCode.PERMISSION_DENIED:
            return failure.forbidden(sentence)
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return failure.too_much(self._url, sentence)
        lost = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        if lost and (reason := untrusted_reason(sentence)):
            return failure.untrusted(self._url, reason)
        if lost and not failure.is_servers(sentence):
            # "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused"
            reason = sentence.rpartition(": ")[2].rstrip("]") or code.name.lower()
            return failure.unreachable(self._url, reason, self._secure, sent=not sentence.startswith(_NEVER_SENT))
        return self.refusal(sentence, bad_request=code in _BAD_REQUEST)

    def refusal(self, sentence: str, bad_request: bool) -> EspalierError:
        return failure.refusal(self._url, sentence, bad_request)

    def cut_short(self) -> EspalierError:
        return failure.cut_short(self._url)


class _Events:
    """One stream's messages. They are read to the end even after an error or the final flag: cancelled right
    after an error in mid-stream, Triton 2.51 was seen to keep the request and to stop only after 30 s."""

    def __init__(self, calls: _Calls, request: Request) -> None:
        self._calls = calls
        self._request = request
        self._answered = False
        self._final = False
        self._error: EspalierError | None = None

    def rows(self, response: service_pb2.ModelStreamInferResponse) -> Iterator[list[bytes]]:
        """Yields the rows of one message. An error has none, nor has the empty message with the final flag."""
        if response.error_message:
            # It comes without a status code. A wrong request is refused before the first answer, so an error
            # after one is not the request's fault.
            self._error = self._calls.refusal(response.error_message, bad_request=not self._answered)
            return
        self._final = bool(response.infer_response.parameters["triton_final_response"].bool_param)
        if response.infer_response.outputs:
            self._answered = True
            yield _rows(self._request, response.infer_response)

    def check_end(self) -> None:
        """Raises EspalierError if the stream ended before its last answer."""
        if self._error is not None:
            raise self._error
        if not self._final:
            raise self._calls.cut_short()


def _raw(column: Column) -> bytes:
    if column.datatype == "BOOL":
        return np.array(column.values, dtype=bool).tobytes()
    texts = np.array([value.encode() for value in column.values], dtype=np.object_)
    return bytes(serialize_byte_tensor(texts).item())


def _rows(request: Request, response: service_pb2.ModelInferResponse) -> list[bytes]:
    failure.check_id(request.id, response.id)
    if [output.name for output in response.outputs] != ["result"] or len(response.raw_output_contents) != 1:
        raise failure.unreadable("no output named result")
    return list(deserialize_bytes_tensor(response.raw_output_contents[0]))
