"""Triton's errors as the gate passes them on: the class, and no more than callers should see."""

import asyncio

import pytest
from tritonclient.grpc import service_pb2
from tritonclient.grpc.aio import grpc

from build_tools.serving.gate.refusal import Code, OutOfTimeError, RefusedError
from build_tools.serving.gate.upstream import Upstream, _refused, refused_in_stream

BROKEN = "Failed to process the request(s) for model 'nlu_0_0', message: KeyError: 'x'\n\nAt:\n  /srv/model.py(12): f"


class TritonSays(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize(
    ("status", "sentence", "code"),
    [
        ("INVALID_ARGUMENT", "text 0 is empty: give at least one word.", Code.INVALID),
        ("UNAVAILABLE", "[request id: 1] Exceeds maximum queue size", Code.UNAVAILABLE),
        ("NOT_FOUND", "Request for unknown model: 'nlu' is not found", Code.UNAVAILABLE),
        ("INTERNAL", "Stub process 'nlu_0_0' is not healthy.", Code.UNAVAILABLE),
        ("INTERNAL", "Failed to process the request(s), message: Stub process is unhealthy", Code.UNAVAILABLE),
        ("INTERNAL", BROKEN, Code.INTERNAL),
        ("UNKNOWN", "", Code.INTERNAL),
        ("CANCELLED", "the request was cancelled.", Code.CANCELLED),
        ("UNIMPLEMENTED", "ModelInfer RPC doesn't support models with decoupled transaction policy", Code.NOT_OFFERED),
    ],
)
def test_an_error_keeps_its_class_unless_the_server_is_at_fault(status: str, sentence: str, code: Code) -> None:
    assert _refused(TritonSays(grpc.StatusCode[status], sentence), 1.0).code is code


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("there is no task 'nope'; known tasks: intent.", Code.INVALID),
        ("[request id: 1] inference request batch-size must be <= 64", Code.INVALID),
        ("Exceeds maximum queue size", Code.UNAVAILABLE),
        ("Server is stopping, scheduler for model has stopped", Code.UNAVAILABLE),
        ("Stub process 'nlu_stream_0_0' is not healthy.", Code.UNAVAILABLE),
        (BROKEN, Code.INTERNAL),
        ("the request was cancelled.", Code.CANCELLED),
    ],
)
def test_the_words_of_an_error_in_a_stream_tell_its_class(sentence: str, code: Code) -> None:
    assert refused_in_stream(sentence).code is code


def test_a_traceback_stays_in_the_server_s_log() -> None:
    sentence = _refused(TritonSays(grpc.StatusCode.INTERNAL, BROKEN), 1.0).sentence
    assert sentence == "Failed to process the request(s) for model 'nlu_0_0', message: KeyError: 'x'"


@pytest.mark.parametrize(
    "sentence",
    [
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:4711: Connection refused",
        "Socket closed",
        "This protocol is restricted, expecting header 'triton-grpc-protocol-espalier'",
    ],
)
def test_a_lost_connection_tells_no_address_and_no_key(sentence: str) -> None:
    refused = _refused(TritonSays(grpc.StatusCode.UNAVAILABLE, sentence), 1.0)
    assert (refused.code, refused.sentence) == (Code.UNAVAILABLE, "the server is being started again: ask again.")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [("DEADLINE_EXCEEDED", "Deadline Exceeded"), ("UNAVAILABLE", "[request id: 1] Request timeout expired")],
)
def test_a_deadline_that_passed_is_told_apart(status: str, sentence: str) -> None:
    refused = _refused(TritonSays(grpc.StatusCode[status], sentence), 1.5)
    assert isinstance(refused, OutOfTimeError)
    assert refused.code is Code.UNAVAILABLE
    assert isinstance(refused_in_stream("the request's timeout of 1 s has passed."), OutOfTimeError)


REPLACED = "[request id: 1] Server is stopping, scheduler for model has stopped accepting new inference requests"


class Triton:
    """Answers each call with the next of these: an error sentence, or None for an answer."""

    def __init__(self, *sentences: str | None) -> None:
        self.left = list(sentences)

    def infer(self, _message: bytes, **_given: object) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        sentence = self.left.pop(0)
        if sentence is None:
            answer.set_result(b"answered")
        else:
            answer.set_exception(TritonSays(grpc.StatusCode.UNAVAILABLE, sentence))
        return answer

    def stream(self, _message: object, **_given: object) -> "_Call":
        return _Call(self.left.pop(0))


class _Call:
    def __init__(self, sentence: str | None) -> None:
        self._left = [service_pb2.ModelStreamInferResponse(error_message=sentence or "")]

    def __aiter__(self) -> "_Call":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop().SerializeToString()

    def cancel(self) -> None:
        pass


async def _asked(way: str, *sentences: str | None) -> int:
    """How many answers come."""
    upstream, triton = Upstream("127.0.0.1:1", "key"), Triton(*sentences)
    upstream._infer, upstream._stream = triton.infer, triton.stream
    try:
        if way == "infer":
            return int(await upstream.infer(b"", 1.0) == b"answered")
        return len([response async for response in upstream.stream(b"", 1.0)])
    finally:
        await upstream.close()


@pytest.mark.parametrize("way", ["infer", "stream"])
def test_a_request_that_meets_a_model_just_replaced_goes_to_the_new_one(way: str) -> None:
    assert asyncio.run(_asked(way, REPLACED, None)) == 1


@pytest.mark.parametrize("way", ["infer", "stream"])
@pytest.mark.parametrize("sentences", [(REPLACED, REPLACED), ("Exceeds maximum queue size", None)])
def test_a_server_that_stops_or_is_full_is_not_asked_on_and_on(way: str, sentences: tuple[str | None, ...]) -> None:
    with pytest.raises(RefusedError) as refused:
        asyncio.run(_asked(way, *sentences))
    assert refused.value.code is Code.UNAVAILABLE
