"""Requests to the router that wait at the same time go to Triton as one call.

The router computes the texts of all requests of a batch together anyway, so a call for each of them is only cost, and
one batch with many texts is quicker than several with few (docs/experiments.md).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from prometheus_client import Counter

from build_tools.serving.gate.call import InferCall
from build_tools.serving.gate.joined_call import answers_of, joined, told_to
from build_tools.serving.gate.refusal import Code, OutOfTimeError, RefusedError
from build_tools.serving.gate.upstream import Upstream

# A short text must not wait long behind many long ones: after so many seconds it goes beside them, as long as fewer
# than so many calls are under way.
_PATIENCE_SECONDS = 0.1
_AT_ONCE = 4
_MOST_BYTES = 2**20  # of the inputs of several requests in one call

_CALLS = Counter("espalier_gate_router_calls", "Calls of Triton's routers, each for one request or for several.")


class Joining:
    """Asks a router. A request goes at once and by itself if no other is under way, else with those that wait too."""

    def __init__(self, upstream: Upstream, most_texts: int) -> None:
        """most_texts: of one call."""
        self._upstream = upstream
        self._most_texts = most_texts
        self._lanes: defaultdict[object, _Lane] = defaultdict(_Lane)

    async def infer(self, call: InferCall, seconds: float) -> bytes:
        """Returns the ModelInferResponse to this call. seconds: until its deadline.

        Raises RefusedError. When nobody waits for a call of Triton any more, it is cancelled.
        """
        # Only calls that are alike can be one: the same inputs, which each text then has, in the same queue of Triton.
        lane = self._lanes[call.model, max(call.priority, 1), frozenset(tensor.name for tensor in call.inputs)]
        loop = asyncio.get_running_loop()
        request = _Request(call, loop.time(), seconds, loop.create_future())
        lane.waiting.append(request)
        self._send(lane)
        if request.sent is None:
            loop.call_later(_PATIENCE_SECONDS, self._send, lane)
        try:
            async with asyncio.timeout_at(request.deadline):
                return await request.answer
        except TimeoutError:
            raise OutOfTimeError(f"the request's timeout of {seconds:g} s has passed.") from None
        finally:
            if request.sent is not None:
                request.sent.leave()

    def _send(self, lane: "_Lane") -> None:
        now = asyncio.get_running_loop().time()
        while lane.has_place(now) and (requests := lane.next(self._most_texts)):
            lane.under_way += 1
            task = asyncio.ensure_future(self._answer(requests))
            task.add_done_callback(lambda _: self._came_back(lane))
            sent = _Sent(task, len(requests))
            for request in requests:
                request.sent = sent

    def _came_back(self, lane: "_Lane") -> None:
        lane.under_way -= 1
        self._send(lane)

    async def _answer(self, requests: Sequence["_Request"]) -> None:
        """Hands each request its answer, or why there is none."""
        calls = [request.call for request in requests]
        try:
            answers = await self._ask(calls, max(request.deadline for request in requests))
        except RefusedError as error:
            if len(requests) > 1 and error.code is not Code.UNAVAILABLE:
                # One of them is to blame; the others must not suffer.
                await asyncio.gather(*(self._answer([request]) for request in requests))
                return
            for request in requests:
                request.fail(told_to(request.call, error, calls))
        except Exception as error:
            for request in requests:
                request.fail(error)
        else:
            for request, answer in zip(requests, answers, strict=True):
                request.succeed(answer)

    async def _ask(self, calls: Sequence[InferCall], deadline: float) -> list[bytes]:
        seconds = max(deadline - asyncio.get_running_loop().time(), 0.0)
        _CALLS.inc()
        answer = await self._upstream.infer(joined(calls).serialized(seconds), seconds)
        return [answer] if len(calls) == 1 else answers_of(answer, calls)


@dataclass(slots=True)
class _Sent:
    """A call of Triton. callers: those who still wait for it."""

    task: asyncio.Future[None]
    callers: int

    def leave(self) -> None:
        self.callers -= 1
        if not self.callers:
            self.task.cancel()  # does nothing to one that is done


@dataclass(slots=True)
class _Request:
    """came: by the event loop's clock. seconds: then left until its deadline. sent: the call that it has gone with."""

    call: InferCall
    came: float
    seconds: float
    answer: asyncio.Future[bytes]
    sent: _Sent | None = None

    @property
    def deadline(self) -> float:
        return self.came + self.seconds

    def succeed(self, answer: bytes) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class _Lane:
    """Requests that can be joined. under_way: calls of Triton."""

    waiting: deque[_Request] = field(default_factory=deque)
    under_way: int = 0

    def has_place(self, now: float) -> bool:
        """Whether the one that has waited longest may go."""
        if not self.under_way:
            return True
        return self.under_way < _AT_ONCE and bool(self.waiting) and now >= self.waiting[0].came + _PATIENCE_SECONDS

    def next(self, most_texts: int) -> list[_Request]:
        """Takes out those that go next, the oldest first: as many as fit into one call. Empty if nobody waits."""
        taken: list[_Request] = []
        texts = size = 0
        while self.waiting:
            request = self.waiting[0]
            if not request.answer.done():  # else its caller has left
                texts += request.call.texts
                size += request.call.size
                if taken and (texts > most_texts or size > _MOST_BYTES):
                    break
                taken.append(request)
            self.waiting.popleft()
        return taken
