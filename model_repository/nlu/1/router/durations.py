"""How long each branch takes, so that the longest begin first and no core waits alone for the last of them."""

_KEPT = 0.9  # of what was known, at each new measurement


class Durations:
    """Seconds of a branch's calls, lately. Safe to share between threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def add(self, task: str, seconds: float) -> None:
        """One more call."""
        self._seconds[task] = _KEPT * self._seconds.get(task, seconds) + (1 - _KEPT) * seconds

    def longest_first(self, tasks: list[str]) -> list[str]:
        """The tasks in order; those that were never called come last."""
        return sorted(tasks, key=lambda task: -self._seconds.get(task, 0.0))
