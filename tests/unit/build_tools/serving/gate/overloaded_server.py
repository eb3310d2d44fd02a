"""A server in simulated time: callers, gate processes with admission, a queue, and batches that take their time."""

import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.admission import MeasuredAdmission
from build_tools.serving.gate.refusal import OutOfTimeError, RefusedError
from build_tools.serving.gate.shared_load import SharedLoad


class Clock:
    """Simulated seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Outcome:
    """What callers saw after the warm-up: answers in time by caller, late ones, refusals; seconds of each answer."""

    answered: Counter[str] = field(default_factory=Counter)
    late: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    longest_queue: int = 0


@dataclass(frozen=True)
class Callers:
    """A closed loop of `number` callers with one key, each with one text of `size` bytes at a time."""

    number: int
    size: int = 2200
    deadline: float = 30.0
    caller: Caller = field(default_factory=Caller)


class OverloadedServer:
    """Serves batches of up to `batch` texts, one after the other, first come first served.

    text_seconds: (time, size) -> seconds of one text within a batch; batch_seconds: of each batch beside its texts.
    What has waited longer than its deadline is dropped when its turn comes, as Triton does.
    """

    def __init__(
        self,
        folder: Path,
        text_seconds: Callable[[float, int], float],
        batch_seconds: float = 0.0,
        batch: int = 64,
        workers: int = 1,
        in_flight: int = 1024,
    ) -> None:
        self.clock = Clock()
        loads = [SharedLoad(folder / "load", workers) for _ in range(workers)]
        self._gates = [MeasuredAdmission(load, in_flight, self.clock) for load in loads]
        self._text_seconds, self._batch_seconds, self._batch = text_seconds, batch_seconds, batch
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._queue: deque[tuple[Callers, object, float]] = deque()
        self._busy = False
        self._outcome = Outcome()
        self._begins = 0.0

    def run(self, groups: list[Callers], seconds: float, warm_up: float) -> Outcome:
        """Returns what the callers saw in `seconds` after the warm-up."""
        chance = random.Random(0)
        self._begins = warm_up
        for group in groups:
            for _ in range(group.number):
                self._at(chance.uniform(0, 1), lambda group=group: self._ask(group))
        while self._events and self._events[0][0] < warm_up + seconds:
            self.clock.now, _, happen = heapq.heappop(self._events)
            happen()
        return self._outcome

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), happen))

    def _ask(self, group: Callers) -> None:
        gate = self._gates[next(self._numbers) % len(self._gates)]
        stay = gate.admit(group.caller, 1, group.size, group.deadline)
        try:
            _run(stay.__aenter__())
        except RefusedError as refusal:
            self._outcome.refused += self._counts
            self._at(self.clock.now + (refusal.retry_after or 1.0), lambda: self._ask(group))
            return
        self._queue.append((group, stay, self.clock.now))
        self._outcome.longest_queue = max(self._outcome.longest_queue, len(self._queue))
        if not self._busy:
            self._serve()

    def _serve(self) -> None:
        batch = []
        while self._queue and len(batch) < self._batch:
            group, stay, came = self._queue.popleft()
            if self.clock.now - came > group.deadline:
                self._end(group, stay, came)
            else:
                batch.append((group, stay, came))
        self._busy = bool(batch)
        if batch:
            taken = self._batch_seconds + sum(self._text_seconds(self.clock.now, group.size) for group, _, _ in batch)
            self._at(self.clock.now + taken, lambda: self._done(batch))

    def _done(self, batch: list[tuple[Callers, object, float]]) -> None:
        for one in batch:
            self._end(*one)
        self._serve()

    def _end(self, group: Callers, stay: object, came: float) -> None:
        seconds = self.clock.now - came
        late = seconds > group.deadline
        error = OutOfTimeError("too slow") if late else None
        _run(stay.__aexit__(None if error is None else RefusedError, error, None))
        if self._counts:
            if late:
                self._outcome.late += 1
            else:
                self._outcome.answered[group.caller.name] += 1
                self._outcome.seconds.append(seconds)
        self._at(self.clock.now, lambda: self._ask(group))

    @property
    def _counts(self) -> bool:
        return self.clock.now >= self._begins


def _run(coroutine) -> None:
    """Runs what never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("admission waits")
