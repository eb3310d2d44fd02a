"""Judges whether canaries keep within their bounds."""

from dataclasses import dataclass

from router.candidates import Outcome
from router.registry import Canary, Version

_KEPT = 10  # times the canary's minimum: with more answers, all counts are halved, so that a late failure shows too


@dataclass
class _Seen:
    """What this process has seen of one canary. The counts are fractions, because older answers count less."""

    texts: float = 0.0
    errors: float = 0.0
    calls: float = 0.0
    seconds: float = 0.0


class CanaryGuard:
    """Judges each canary by its recent answers, as far as this process has seen them."""

    def __init__(self) -> None:
        self._seen: dict[Version, _Seen] = {}

    def judge(self, canary: Canary, outcome: Outcome) -> str | None:
        """Adds a batch's outcome. Returns a sentence that names the exceeded bound, or None."""
        seen = self._seen.setdefault(canary.version, _Seen())
        seen.texts += outcome.answers + outcome.errors
        seen.errors += outcome.errors
        seen.calls += outcome.calls
        seen.seconds += outcome.seconds
        if seen.texts < canary.minimum:
            return None
        errors = seen.errors / seen.texts
        milliseconds = 1000 * seen.seconds / seen.calls if seen.calls else 0.0
        texts = seen.texts
        if texts > _KEPT * canary.minimum:
            self._seen[canary.version] = _Seen(texts / 2, seen.errors / 2, seen.calls / 2, seen.seconds / 2)
        if errors > canary.max_error_rate:
            return f"{errors:.1%} of its last {texts:.0f} answers were errors; the limit is {canary.max_error_rate:.1%}"
        if milliseconds > canary.max_milliseconds:
            return f"its calls took {milliseconds:.1f} ms on average; the limit is {canary.max_milliseconds:g} ms"
        return None
