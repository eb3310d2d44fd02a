"""How long each branch takes. The longest calls start first, so that the last one does not keep all cores waiting."""

from router.registry import Version

_KEPT = 0.9  # weight of the previous average when a new measurement comes in


class Durations:
    """A moving average of the seconds that each task's calls take. Safe to share between threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}  # per task: a new version takes about as long as the one before

    def add(self, version: Version, seconds: float) -> None:
        """Adds one call."""
        self._seconds[version.task] = _KEPT * self._seconds.get(version.task, seconds) + (1 - _KEPT) * seconds

    def longest_first(self, versions: list[Version]) -> list[Version]:
        """Returns the versions in order of their durations. Tasks that were never called come last."""
        return sorted(versions, key=lambda version: -self._seconds.get(version.task, 0.0))
