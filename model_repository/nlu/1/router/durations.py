"""How long each branch takes, so that the longest begin first and no core waits alone for the last of them."""

from router.registry import Branch

_KEPT = 0.9  # of what was known, at each new measurement


class Durations:
    """Seconds of a branch's calls, lately. Safe to share between threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}  # of a task's versions together: a new one is much like the last

    def add(self, branch: Branch, seconds: float) -> None:
        """One more call."""
        self._seconds[branch.task] = _KEPT * self._seconds.get(branch.task, seconds) + (1 - _KEPT) * seconds

    def longest_first(self, branches: list[Branch]) -> list[Branch]:
        """The branches in order; those of tasks that were never called come last."""
        return sorted(branches, key=lambda branch: -self._seconds.get(branch.task, 0.0))
