"""Loads on a real server: callers who each wait for an answer, or texts that come at a rate whatever was answered."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from clients import AsyncClient, EspalierError, ServerUnavailable
from clients.errors import DeadlinePassed

_CLIENTS = 4  # connections; a server's gate processes share out connections, not requests


@dataclass
class Seen:
    """What callers saw in `seconds`: seconds of each answer and refusal, and how many ran out of time or failed."""

    seconds: float
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    too_late: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.seconds


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which this share of the values lies; 0 if there are none."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else 0.0


def closed_loop(
    url: str,
    texts: Sequence[str],
    callers: int,
    seconds: float,
    warm_up: float,
    timeout: float,
    tasks: Sequence[str] | None = None,
) -> Seen:
    """Each caller asks again as soon as it is answered; a refused one after a second."""

    async def load(ask: "_Ask") -> None:
        async def caller() -> None:
            while time.monotonic() < ask.end:
                if not await ask(ask.chance.choice(texts)):
                    await asyncio.sleep(1.0)

        await asyncio.gather(*(caller() for _ in range(callers)))

    return asyncio.run(_run(url, tasks, load, seconds, warm_up, timeout))


def open_loop(
    url: str,
    texts: Sequence[str],
    rate: float,
    seconds: float,
    warm_up: float,
    timeout: float,
    tasks: Sequence[str] | None = None,
) -> Seen:
    """Texts come at `rate` a second, as independent callers send them. A refused one is not sent again."""

    async def load(ask: "_Ask") -> None:
        tasks = set()
        due = time.monotonic()
        while due < ask.end:
            await asyncio.sleep(max(due - time.monotonic(), 0))
            task = asyncio.create_task(ask(ask.chance.choice(texts)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += ask.chance.expovariate(rate)
        await asyncio.gather(*tasks)

    return asyncio.run(_run(url, tasks, load, seconds, warm_up, timeout))


class _Ask:
    """Asks one text, and notes what came of it if it was sent within the measured time."""

    def __init__(
        self, clients: Sequence[AsyncClient], tasks: Sequence[str] | None, seconds: float, warm_up: float
    ) -> None:
        self.chance = random.Random(0)
        self.seen = Seen(seconds)
        self._clients = clients
        self._tasks = tasks
        self._begin = time.monotonic() + warm_up
        self.end = self._begin + seconds

    async def __call__(self, text: str) -> bool:
        sent = time.monotonic()
        outcome = await self._outcome(text)
        now = time.monotonic()
        if self._begin <= now <= self.end:
            if outcome == "answered":
                self.seen.answered.append(now - sent)
            elif outcome == "refused":
                self.seen.refused.append(now - sent)
            elif outcome == "too late":
                self.seen.too_late += 1
            else:
                self.seen.failures[outcome] += 1
        return outcome == "answered"

    async def _outcome(self, text: str) -> str:
        try:
            answers = await self.chance.choice(self._clients).predict(text, tasks=self._tasks)
        except DeadlinePassed:
            return "too late"
        except ServerUnavailable as error:
            return "too late" if "within the timeout" in str(error) else "refused"
        except EspalierError as error:
            return f"{type(error).__name__}: {error}"
        errors = [answer.error for answer in answers.values() if answer.error]
        return errors[0] if errors else "answered"


async def _run(
    url: str,
    tasks: Sequence[str] | None,
    load: Callable[[_Ask], Awaitable[None]],
    seconds: float,
    warm_up: float,
    timeout: float,
) -> Seen:
    clients = [AsyncClient(url, timeout) for _ in range(_CLIENTS)]
    try:
        ask = _Ask(clients, tasks, seconds, warm_up)
        await load(ask)
        return ask.seen
    finally:
        await asyncio.gather(*(client.close() for client in clients))
