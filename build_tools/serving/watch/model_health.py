"""What the supervisor knows of one loaded version: whether it works, and if not, since when and why."""

from dataclasses import dataclass

from build_tools.serving.watch.verdict import Verdict

# A probe in seconds: how long after the last one, and how long it may take.
PROBE_EVERY = 5.0
PROBE_PATIENCE = 4.0
# Something that finishes nothing for so long is in an endless loop, however busy the server is.
_LONGEST_COMPUTATION = 60.0
_BUSY_SHARE = 0.1  # of a core: less than that is waiting, not computing
_LATE_PROBES = 2  # in a row, before a model counts as hung
_ERRING_PROBES = 2


@dataclass(frozen=True)
class Progress:
    """Of a version so far. done: requests answered or failed. cpu_seconds: computed by all models' processes, 0 if not
    seen: a router waits for what it has asked, and a branch or trunk for its turn to compute.
    """

    done: int
    cpu_seconds: float


@dataclass
class ModelHealth:
    """One version. reason: why it must be brought back, or None. waits: why it cannot serve although it works.

    hangs: whether that is because it answers nothing. living: how many processes it has, None if they cannot be seen.
    """

    reason: str | None = None
    hangs: bool = False
    waits: str | None = None
    has_answered: bool = False
    living: int | None = None
    _late: int = 0
    _late_since: float = 0.0
    _erring: int = 0
    _few_since: float | None = None

    def count_processes(self, living: int, wanted: int, now: float) -> float | None:
        """Notes how many of its processes live. Returns since when there are too few, or None."""
        self.living = living
        if living >= wanted:
            self._few_since = None
        elif self._few_since is None:
            self._few_since = now
        return self._few_since

    def begin_again(self) -> None:
        """Its processes were replaced: what was found of the old ones says nothing of them."""
        self.has_answered = self.has_answered and self.living != 0  # if one of the old ones worked, nobody saw a gap
        self.reason = self.waits = self._few_since = None
        self.hangs = False
        self._late = self._erring = 0

    def note(
        self, found: Verdict, sentence: str, asked_at: float, now: float, before: Progress, after: Progress
    ) -> None:
        """Notes what became of a probe that was sent at `asked_at`; before, after: the progress then and now."""
        if found is Verdict.UNKNOWN:
            return
        self._erring = self._erring + 1 if found is Verdict.ERRS else 0
        self.waits = sentence if found is Verdict.WAITS else None
        if found in (Verdict.WORKS, Verdict.WAITS):
            self.has_answered = True
            self.reason, self.hangs = None, False
        elif found is Verdict.DEAD and self.living is None:  # otherwise the process table tells, without guessing
            self.reason = "its process has ended"
        elif found is Verdict.ERRS and self._erring >= _ERRING_PROBES:
            self.reason = f"it fails: {sentence}"
        if found is not Verdict.LATE or after.done > before.done:  # a busy one is late too, but finishes something
            self._late = 0
            return
        if self._late == 0:
            self._late_since = asked_at
        self._late += 1
        computed = after.cpu_seconds - before.cpu_seconds
        is_computing = computed > _BUSY_SHARE * (now - asked_at)
        if self._late >= _LATE_PROBES and not (is_computing and now - self._late_since < _LONGEST_COMPUTATION):
            self.reason, self.hangs = f"it has not answered for {now - self._late_since:.0f} seconds", True

    @property
    def works(self) -> bool:
        """Whether at least one of its processes answers, as far as is known."""
        return self.has_answered and self.reason is None and self.living != 0

    @property
    def lacks_processes(self) -> bool:
        """Whether fewer of its processes live than it should have."""
        return self._few_since is not None

    @property
    def is_suspect(self) -> bool:
        """Whether it should be asked again at once."""
        return bool(self._late or self._erring)
