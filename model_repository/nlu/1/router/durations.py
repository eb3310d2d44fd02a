"""How long each branch takes, so that the longest begin first and no core waits alone for the last of them."""

from router.registry import Version

_KEPT = 0.9  # of what was known, at each new measurement


class Durations:
    """Seconds of a branch's calls, lately. Safe to share between threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}  # of a task's versions together: a new one is much like the last

    def add(self, version: Version, seconds: float) -> None:
        """One more call."""
        self._seconds[version.task] = _KEPT * self._seconds.get(version.task, seconds) + (1 - _KEPT) * seconds

    def longest_first(self, versions: list[Version]) -> list[Version]:
        """The branches in order; those of tasks that were never called come last."""
        return sorted(versions, key=lambda version: -self._seconds.get(version.task, 0.0))
