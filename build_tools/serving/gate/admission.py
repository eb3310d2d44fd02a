"""Lets in what can be answered in time, and refuses the rest at once: no work for callers who will have left."""

import time
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType

from prometheus_client import Counter, Gauge

from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.refusal import Code, OutOfTimeError, RefusedError
from build_tools.serving.gate.service_time import ServiceTime
from build_tools.serving.gate.shared_load import SharedLoad

# The cost of a request, in bytes of text. A text has a token for each 4 or 5 bytes in most languages; no task reads
# more than 512 tokens of it; and a short one costs its share of a batch all the same.
_TEXT_COST = 32
_MOST_OF_A_TEXT = 2560

# Where less is inside, an answer takes no less time: a lone text must not show how long a batch of long ones takes.
_LEAST_WORK = 2048.0  # some 32 short texts

_MARGIN = 0.8  # of a deadline may be expected to pass: the rest is for what was not expected
_MOST_SLOWER = 4.0  # times as slow as a queue that moves, that one request which ran out of time can show
_ACTIVE_SECONDS = 10.0  # a caller that has asked within them has a share
_PROBE_SECONDS = 1.0  # if none was let in for so long, one is, whatever is expected: only an answer shows what is so
_RETRY_SECONDS = (1.0, 30.0)  # least and most of what a refused caller is told to wait

_REFUSED = Counter("espalier_gate_not_admitted", "Requests that were refused at once.", ["reason"])
_WAIT = Gauge(
    "espalier_gate_expected_seconds",
    "Seconds that a request that comes now is expected to take.",
    multiprocess_mode="livemax",
)


class MeasuredAdmission:
    """The Admission of one gate process; see there.

    in_flight: the most requests inside, all processes together.
    A caller's own bound counts all processes. Where the queue is more than half of what fits, a caller that holds more
    than its share of it is refused, so that one with many requests does not keep the others out.
    """

    def __init__(self, load: SharedLoad, in_flight: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._in_flight = in_flight
        self._clock = clock
        self._service = ServiceTime(load, clock)
        self._cost_of: defaultdict[str, float] = defaultdict(float)  # of each caller, inside this process
        self._asked: dict[str, float] = {}  # when each caller asked last
        self._inside = 0
        self._cost = 0.0
        self._probe: _Stay | None = None
        self._let_in = self._moved = clock()  # when a request was let in, and when one left or came into an empty queue

    def admit(self, caller: Caller, texts: int, size: int, seconds: float) -> "_Stay":
        """See Admission."""
        return _Stay(self, caller, _TEXT_COST * texts + min(size, _MOST_OF_A_TEXT * texts), seconds)

    def _enter(self, stay: "_Stay") -> None:
        now = self._clock()
        caller = stay.caller
        self._asked[caller.name] = now
        totals = self._load.totals()
        if caller.max_in_flight is not None and self._load.inside_of(caller.name) >= caller.max_in_flight:
            raise _refused(
                "caller",
                Code.TOO_MANY,
                f"the key {caller.name} has {caller.max_in_flight} requests in flight, as many as it may have: wait "
                "for an answer first.",
            )
        if totals.inside >= self._in_flight:
            raise _refused(
                "full",
                Code.UNAVAILABLE,
                f"the server has {totals.inside} requests in flight, as many as it takes: ask again later.",
            )
        stay.work = max(totals.cost + stay.cost, _LEAST_WORK)
        stay.answered = totals.answered
        # Nothing has moved for a while: it will not go on as measured.
        stalled = now - self._moved if self._inside else 0.0
        expected = max(stay.work * totals.seconds / totals.work if totals.work else 0.0, stalled)
        _WAIT.set(expected)
        fits = _MARGIN * stay.seconds
        if expected > fits:
            # Not a second one before the first has come back: probes must not make up the queue.
            if self._probe is not None or now - self._let_in < _PROBE_SECONDS:
                raise self._too_late("late", stay, expected, expected - fits)
            self._probe = stay
        elif expected > fits / 2 and self._holds_too_much(caller, now):
            raise self._too_late("share", stay, expected, expected / 2)
        if not self._inside:
            self._moved = now
        stay.came = self._let_in = now
        self._count(stay, 1)

    def _leave(self, stay: "_Stay", kind: type[BaseException] | None, error: BaseException | None) -> None:
        self._count(stay, -1)
        if self._probe is stay:
            self._probe = None
        now = self._clock()
        if kind is None:
            self._load.answer(stay.cost)
            self._service.learn(now - stay.came, stay.work)
        elif isinstance(error, OutOfTimeError):
            # How much was answered meanwhile shows how slow the server has become.
            done = self._load.totals().answered - stay.answered
            # But one observation makes it no more than so many times slower, or a stall would be remembered for long.
            self._service.learn(now - stay.came, min(max(done, stay.work / _MOST_SLOWER), stay.work))
        if kind is None or isinstance(error, RefusedError):
            self._moved = now

    def _count(self, stay: "_Stay", by: int) -> None:
        name = stay.caller.name
        self._inside += by
        self._cost += by * stay.cost
        self._cost_of[name] += by * stay.cost
        if not self._inside:
            self._cost = 0.0
            self._cost_of.clear()
        if by > 0:
            self._load.enter(stay.cost)
        else:
            self._load.leave(stay.cost)
        if stay.caller.max_in_flight is not None:
            self._load.change(name, by)

    def _holds_too_much(self, caller: Caller, now: float) -> bool:
        self._asked = {name: at for name, at in self._asked.items() if now - at < _ACTIVE_SECONDS}
        return self._cost_of[caller.name] * len(self._asked) > self._cost

    def _too_late(self, reason: str, stay: "_Stay", expected: float, wait: float) -> RefusedError:
        least, most = _RETRY_SECONDS
        after = round(min(max(wait, least), most), 1)
        return _refused(
            reason,
            Code.UNAVAILABLE,
            f"the server is too busy to answer within {stay.seconds:.3g} s: an answer takes about {expected:.2g} s "
            f"now. Ask again in {after:g} s.",
            after,
        )


class _Stay:
    """One request, inside from entering this context to leaving it.

    cost: see _TEXT_COST. seconds: until its deadline. work: the cost of all that was inside when it came, and its own;
    at least _LEAST_WORK. answered: the cost of all that had been answered until then. came: when it was let in.
    """

    __slots__ = ("_admission", "answered", "caller", "came", "cost", "seconds", "work")

    def __init__(self, admission: MeasuredAdmission, caller: Caller, cost: float, seconds: float) -> None:
        self._admission = admission
        self.caller = caller
        self.cost = cost
        self.seconds = seconds
        self.work = self.answered = self.came = 0.0

    async def __aenter__(self) -> None:
        self._admission._enter(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._admission._leave(self, kind, error)


def _refused(reason: str, code: Code, sentence: str, retry_after: float = 1.0) -> RefusedError:
    _REFUSED.labels(reason).inc()
    return RefusedError(code, sentence, retry_after)
