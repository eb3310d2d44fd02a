"""What all servers of a fleet have counted of one canary, and whether it keeps within its bounds.

Each router judges a canary by its own calls (model_repository/nlu/1/router/canary_guard.py). The sums are judged by the
same bounds, much earlier: of 100 answers, three servers with two routers each see 17.
"""

from dataclasses import dataclass, field

from build_tools.repository.registry import CanaryTerms
from build_tools.repository.replica_state import CandidateCounts

KEPT = 10  # times the canary's minimum: with more answers, all sums are halved, so that a late failure shows too


@dataclass
class CanarySums:
    """Sums over the servers. They are fractions, because older answers count less. errors: texts, too."""

    texts: float = 0.0
    errors: float = 0.0
    calls: float = 0.0
    seconds: float = 0.0
    _last: dict[str, CandidateCounts] = field(default_factory=dict)  # by server

    def add(self, server: str, counts: CandidateCounts) -> None:
        """Adds what a server has counted since it was asked the last time.

        No version number is used twice, so all that a server has counted of it belongs to this canary. Counts that have
        become smaller are those of routers that were started again.
        """
        last = self._last.get(server, CandidateCounts())
        if counts.answers + counts.errors < last.answers + last.errors or counts.calls < last.calls:
            last = CandidateCounts()
        self._last[server] = counts
        errors = counts.errors - last.errors
        self.texts += counts.answers - last.answers + errors
        self.errors += errors
        self.calls += counts.calls - last.calls
        self.seconds += counts.seconds - last.seconds

    def judge(self, terms: CanaryTerms) -> str | None:
        """Returns a sentence that names the exceeded bound, or None."""
        if self.texts < terms.minimum:
            return None
        errors = self.errors / self.texts
        milliseconds = 1000 * self.seconds / self.calls if self.calls else 0.0
        texts = self.texts
        if texts > KEPT * terms.minimum:
            self.texts, self.errors, self.calls, self.seconds = (
                one / 2 for one in (self.texts, self.errors, self.calls, self.seconds)
            )
        if errors > terms.max_error_rate:
            return (
                f"{errors:.1%} of its last {texts:.0f} answers on all servers were errors; the limit is "
                f"{terms.max_error_rate:.1%}"
            )
        if milliseconds > terms.max_milliseconds:
            return f"its calls took {milliseconds:.1f} ms on average; the limit is {terms.max_milliseconds:g} ms"
        return None
