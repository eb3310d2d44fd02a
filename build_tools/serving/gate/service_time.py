"""How long the server takes, learnt from what it has answered lately."""

from collections.abc import Callable

from build_tools.serving.gate.shared_load import SharedLoad

_HALF_LIFE_SECONDS = 10.0  # after which an answer counts half


class ServiceTime:
    """Seconds for each unit of cost that was inside when a request came, itself included.

    Each answer is a measurement: it took so many seconds with so much inside. Long queues weigh most, because sums are
    divided and not single quotients averaged. That needs no knowledge of batches, cores or priorities; they change the
    quotient, and it follows. All processes of a server learn together.
    """

    def __init__(self, load: SharedLoad, clock: Callable[[], float]) -> None:
        self._load = load
        self._clock = clock
        self._seconds = self._work = 0.0
        self._learnt = clock()

    def learn(self, seconds: float, work: float) -> None:
        """An answer took `seconds` with cost `work` inside, its own included."""
        now = self._clock()
        kept = 0.5 ** ((now - self._learnt) / _HALF_LIFE_SECONDS)
        self._learnt = now
        self._seconds = self._seconds * kept + seconds
        self._work = self._work * kept + work
        self._load.publish(self._seconds, self._work)
