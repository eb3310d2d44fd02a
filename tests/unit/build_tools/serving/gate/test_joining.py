"""Which requests become one call of the router, and that each caller gets its own answer and nobody else's trouble."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.bytes_tensor import pack_texts, unpack_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.joining import Joining
from build_tools.serving.gate.refusal import Code, OutOfTimeError, RefusedError

MOST_TEXTS = 8


class Router:
    """Answers each text with itself and the id of the call, once it is let. refused: texts that spoil their call."""

    def __init__(self, refused: str = "", code: Code = Code.INVALID) -> None:
        self.asked: list[pb.ModelInferRequest] = []
        self.cancelled = 0
        self._lets = asyncio.Event()
        self._refused, self._code = refused.encode(), code

    def let(self) -> None:
        self._lets.set()

    def texts(self) -> list[int]:
        return [asked.inputs[0].shape[0] for asked in self.asked]

    async def infer(self, message: bytes, _seconds: float) -> bytes:
        request = pb.ModelInferRequest.FromString(message)
        self.asked.append(request)
        try:
            await self._lets.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        texts = unpack_texts(request.raw_input_contents[0])
        if self._refused in texts:
            raise RefusedError(self._code, f"[request id: {request.id}] one text is bad.")
        response = pb.ModelInferResponse(model_name="nlu", model_version="1", id=request.id)
        response.outputs.add(name="result", datatype="BYTES", shape=[len(texts), 1])
        answers = (json.dumps(f"{text.decode()} for {request.id}").encode() for text in texts)
        response.raw_output_contents.append(pack_texts(answers))
        return response.SerializeToString()


def _call(*texts: str, name: str | None = None, priority: int = 0, tasks: str = "") -> InferCall:
    inputs = [Tensor("text", "BYTES", (len(texts), 1), pack_texts(text.encode() for text in texts))]
    if tasks:
        inputs.append(Tensor("tasks", "BYTES", (len(texts), 1), pack_texts([tasks.encode()] * len(texts))))
    return InferCall("nlu", id=name or f"id of {texts[0]}", inputs=inputs, priority=priority)


def _results(answer: bytes) -> list[str]:
    return [json.loads(one) for one in unpack_texts(pb.ModelInferResponse.FromString(answer).raw_output_contents[0])]


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def _run(scenario: Callable[[Router, Joining], Coroutine[Any, Any, None]], **router: Any) -> None:
    async def run() -> None:
        asked = Router(**router)
        await scenario(asked, Joining(asked, MOST_TEXTS))  # type: ignore[arg-type]

    asyncio.run(run())


async def _begun(joining: Joining, *calls: InferCall, seconds: float = 30.0) -> list[asyncio.Task[bytes]]:
    tasks = [asyncio.ensure_future(joining.infer(call, seconds)) for call in calls]
    await _settled()
    return tasks


EARLY = _call("early")  # which the others wait for


def test_a_request_goes_at_once_and_by_itself_if_none_is_under_way() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        [task] = await _begun(joining, EARLY)
        assert [asked.id for asked in router.asked] == ["id of early"]
        router.let()
        assert _results(await task) == ["early for id of early"]
        assert _results(await joining.infer(_call("next"), 30.0)) == ["next for id of next"]

    _run(scenario)


def test_nobody_waits_long_behind_the_texts_of_others_and_not_too_many_calls_are_under_way() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        for number in range(6):
            await _begun(joining, _call(f"{number} a"), _call(f"{number} b"))
            await asyncio.sleep(0.11)
        assert router.texts() == [1, 1, 2, 2]
        router.let()
        await _settled()
        assert router.texts() == [1, 1, 2, 2, 6]

    _run(scenario)


def test_those_that_wait_go_together_and_each_gets_its_own_answer() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("a", 'b"'), _call("c", name='"quoted" \\ id'), _call("d"))
        assert len(router.asked) == 1
        router.let()
        answers = [pb.ModelInferResponse.FromString(await task) for task in tasks]
        assert router.texts() == [1, 4]
        assert [(answer.id, answer.outputs[0].shape) for answer in answers] == [
            ("id of a", [2, 1]),
            ('"quoted" \\ id', [1, 1]),
            ("id of d", [1, 1]),
        ]
        assert [_results(answer.SerializeToString()) for answer in answers] == [
            ["a for id of a", 'b" for id of a'],
            ['c for "quoted" \\ id'],
            ["d for id of d"],
        ]

    _run(scenario)


def test_only_as_many_texts_go_together_as_a_request_may_have() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, *(_call(f"{number} a", f"{number} b", f"{number} c") for number in range(5)))
        router.let()
        await asyncio.gather(*tasks)
        assert router.texts() == [1, 6, 6, 3]

    _run(scenario)


def test_large_requests_go_by_themselves() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("x" * 2**20), _call("y" * 2**20))
        router.let()
        await asyncio.gather(*tasks)
        assert router.texts() == [1, 1, 1]

    _run(scenario)


def test_requests_with_other_inputs_or_another_priority_are_not_joined() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        others = [_call("x", priority=2), _call("y", tasks="intent")]
        await _begun(joining, EARLY, *others)
        assert len(router.asked) == 1 + len(others)  # each has places of its own
        assert router.asked[1].parameters["priority"].int64_param == 2
        router.let()

    _run(scenario)


def test_a_text_that_is_refused_costs_nobody_else_the_answer() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("good"), _call("bad"), _call("fine"))
        router.let()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert _results(found[0]) == ["good for id of good"]  # type: ignore[arg-type]
        assert isinstance(found[1], RefusedError)
        assert found[1].sentence == "[request id: id of bad] one text is bad."
        assert _results(found[2]) == ["fine for id of fine"]  # type: ignore[arg-type]

    _run(scenario, refused="bad")


def test_a_server_that_is_unavailable_is_not_asked_again_and_nobody_learns_the_ids_of_others() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("good"), _call("bad"))
        router.let()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        sentences = [error.sentence for error in found if isinstance(error, RefusedError)]
        assert sentences == [f"[request id: id of {text}] one text is bad." for text in ("good", "bad")]
        assert len(router.asked) == 2

    _run(scenario, refused="bad", code=Code.UNAVAILABLE)


def test_a_caller_who_has_left_is_not_computed_for() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("a"), _call("b"))
        tasks[0].cancel()
        router.let()
        assert _results(await tasks[1]) == ["b for id of b"]
        assert router.texts() == [1, 1]

    _run(scenario)


def test_a_call_ends_when_all_its_callers_have_left_and_not_before() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        first = await _begun(joining, EARLY)
        await _begun(joining, _call("a"), _call("b"))
        waiting = await _begun(joining, _call("c"))
        first[0].cancel()
        await _settled()
        assert router.cancelled == 1
        assert router.texts()[1:] == [3]  # its place is free for those that wait
        waiting[0].cancel()
        await _settled()
        assert router.cancelled == 1
        router.let()

    _run(scenario)


def test_a_deadline_passes_also_for_who_has_not_been_sent_yet() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        [late] = await _begun(joining, _call("late"), seconds=0.01)
        [patient] = await _begun(joining, _call("patient"))
        with pytest.raises(OutOfTimeError, match=r"timeout of 0\.01 s has passed"):
            await late
        router.let()
        assert _results(await patient) == ["patient for id of patient"]
        assert router.texts() == [1, 1]

    _run(scenario)


def test_a_joined_call_has_the_latest_deadline_of_its_requests() -> None:
    async def scenario(router: Router, joining: Joining) -> None:
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("a"), seconds=1.0)
        tasks += await _begun(joining, _call("b"), seconds=20.0)
        router.let()
        await asyncio.gather(*tasks)
        assert 10e6 < router.asked[-1].parameters["timeout"].int64_param <= 20e6

    _run(scenario)


def test_an_answer_that_does_not_fit_is_a_failure_and_not_another_callers_answer() -> None:
    class Short(Router):
        async def infer(self, message: bytes, seconds: float) -> bytes:
            answer = pb.ModelInferResponse.FromString(await super().infer(message, seconds))
            answer.raw_output_contents[0] = pack_texts([b"only one"])
            return answer.SerializeToString()

    async def run() -> None:
        router = Short()
        joining = Joining(router, MOST_TEXTS)  # type: ignore[arg-type]
        await _begun(joining, EARLY)
        tasks = await _begun(joining, _call("a"), _call("b"))
        router.let()
        for task in tasks:
            with pytest.raises(RuntimeError, match="1 results for 2 texts"):
                await task

    asyncio.run(run())
