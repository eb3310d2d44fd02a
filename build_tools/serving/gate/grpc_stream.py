"""One gRPC stream: any number of requests of one caller, each answered as it would be by itself."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.aio import grpc

from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.call import InferCall
from build_tools.serving.gate.exchanges import Exchanges
from build_tools.serving.gate.gate import Gate
from build_tools.serving.gate.grpc_messages import read_call
from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.open_streams import OpenStreams
from build_tools.serving.gate.refusal import Code, RefusedError

ERROR_CODE = "espalier_code"  # parameter of an error's response: its gRPC status, by name
_WRITE_SECONDS = 30.0
_FINAL = "triton_final_response"
# A caller that sends this metadata wants the first error as the status of the stream, which ends it, as with Triton.
_STATUS_WANTED = "triton_grpc_error"


async def answer_stream(
    gate: Gate,
    exchanges: Exchanges,
    open_streams: OpenStreams,
    caller: Caller,
    metadata: Mapping[str, str],
    context: grpc.aio.ServicerContext,
) -> None:
    """Returns when the caller has sent its last request and each is answered. A refused one leaves the others alone.

    Raises RefusedError for the first refusal if the caller wants it as the status of the stream, if the caller does not
    read its answers, and if the gate ends: then what has been read is answered first.
    """
    stream = _Stream(gate, exchanges, caller, metadata, context)
    try:
        async with asyncio.TaskGroup() as answers:
            ordered: asyncio.Task[None] | None = None
            # A caller that reads no answers cannot send for ever: refusals are written before the next read, and
            # requests that are let in are bounded by admission.
            while (message := await open_streams.read(context)) not in (grpc.aio.EOF, None):
                call = await stream.read(message)
                if call is None:
                    continue
                task = answers.create_task(stream.answer(call, len(message), ordered))
                if not stream.is_decoupled(call):
                    ordered = task
                await asyncio.sleep(0)  # a refused call has its answer before the next message is read
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    if message is None:  # the caller may have sent more, which nobody has read
        gate.readiness.check()


class _Stream:
    def __init__(
        self,
        gate: Gate,
        exchanges: Exchanges,
        caller: Caller,
        metadata: Mapping[str, str],
        context: grpc.aio.ServicerContext,
    ) -> None:
        self._gate = gate
        self._exchanges = exchanges
        self._caller = caller
        self._metadata = metadata
        self._context = context
        self._wants_status = metadata.get(_STATUS_WANTED, "").lower() in ("true", "1")
        self._writing = asyncio.Lock()

    def is_decoupled(self, call: InferCall) -> bool:
        """Whether answers come in any order. Those of other models come in the order of the requests."""
        spec = self._gate.catalogue.models.open.get(call.model)
        return spec is not None and spec.decoupled

    async def read(self, message: bytes) -> InferCall | None:
        """Returns what the message asks, or None if it cannot be read, which has been said."""
        try:
            return read_call(message)
        except RefusedError as error:
            try:
                with self._exchanges.exchange("stream", "ModelStreamInfer", self._metadata) as exchange:
                    exchange.caller = self._caller
                    raise error
            except RefusedError:
                await self._refuse(error, exchange)
            return None

    async def answer(self, call: InferCall, size: int, before: "asyncio.Task[None] | None") -> None:
        """Answers one request; a model that answers once, not before the request `before` is answered."""
        exchange = None
        try:
            with self._exchanges.exchange("stream", "ModelStreamInfer", self._metadata) as exchange:
                exchange.caller = self._caller
                exchange.received = size
                async with aclosing(self._responses(exchange, call, before)) as responses:
                    async for response in responses:
                        await self._write(response)
                        exchange.sent += len(response)
        except RefusedError as error:
            await _done(before)
            await self._refuse(error, exchange)

    async def _responses(
        self, exchange: Exchange, call: InferCall, before: "asyncio.Task[None] | None"
    ) -> AsyncGenerator[bytes, None]:
        seconds = self._context.time_remaining()
        if not self.is_decoupled(call):
            answered = await self._gate.infer(exchange, call, seconds)
            await _done(before)
            yield _wrapped(answered)
            return
        async with aclosing(self._gate.stream(exchange, call, seconds)) as responses:
            async for response in responses:
                yield pb.ModelStreamInferResponse(infer_response=response).SerializeToString()

    async def _refuse(self, error: RefusedError, exchange: Exchange | None) -> None:
        if self._wants_status:
            raise error
        request_id = exchange.id if exchange else ""
        response = pb.ModelStreamInferResponse(error_message=error.for_request(request_id))
        response.infer_response.id = request_id
        response.infer_response.parameters[ERROR_CODE].string_param = error.code.grpc.name
        await self._write(response.SerializeToString())

    async def _write(self, response: bytes) -> None:
        async with self._writing:
            try:
                async with asyncio.timeout(_WRITE_SECONDS):
                    await self._context.write(response)
            except TimeoutError:
                self._wants_status = True  # another answer would not be read either
                raise RefusedError(Code.TOO_SLOW, "the answers of the stream are not read.") from None


async def _done(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        await asyncio.wait([task])


def _wrapped(answered: bytes) -> bytes:
    """Returns the ModelStreamInferResponse that holds a ModelInferResponse, with the final flag, as Triton sends it."""
    response = pb.ModelStreamInferResponse()
    response.infer_response.ParseFromString(answered)
    response.infer_response.parameters[_FINAL].bool_param = True
    return response.SerializeToString()
