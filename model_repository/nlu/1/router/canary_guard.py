"""Judges whether canaries keep within their bounds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from router.candidates import Outcome
from router.label_shift import LabelSample, shift_beyond_chance
from router.registry import Canary, Version
from router.row import Row

_KEPT = 10  # times the canary's minimum: with more answers, all counts are halved, so that a late failure shows too


@dataclass
class _Seen:
    """What this process has seen of one canary. The counts are fractions, because older answers count less."""

    texts: float = 0.0
    errors: float = 0.0
    calls: float = 0.0
    seconds: float = 0.0


class TextCounts(Protocol):
    """Where texts are counted that the guard has compared labels of."""

    def count_compared(self, version: Version, like: Version, labels: Iterable[str]) -> None:
        """Adds a text that was new to the guard, and the labels that a version has given it.

        like: the canary, of which the names of labels are taken.
        """


class CanaryGuard:
    """Judges each canary by its recent answers, as far as this process has seen them."""

    def __init__(self, counts: TextCounts | None = None) -> None:
        """counts: for who judges by what all processes have seen."""
        self._counts = counts
        self._seen: dict[Version, _Seen] = {}
        self._labels: dict[Version, tuple[LabelSample, LabelSample]] = {}  # of the canary, and of the live version

    def judge(self, canary: Canary, outcome: Outcome, rows: Sequence[Row] = ()) -> str | None:
        """Adds a batch's outcome. Returns a sentence that names the exceeded bound, or None. rows: the batch's."""
        seen = self._seen.setdefault(canary.version, _Seen())
        seen.texts += outcome.answers + outcome.errors
        seen.errors += outcome.errors
        seen.calls += outcome.calls
        seen.seconds += outcome.seconds
        own, live = self._add_labels(canary, outcome, rows)
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
        return _judge_labels(canary, own, live)

    def _add_labels(self, canary: Canary, outcome: Outcome, rows: Sequence[Row]) -> tuple[LabelSample, LabelSample]:
        if canary.version not in self._labels:
            most = _KEPT * canary.minimum
            self._labels[canary.version] = LabelSample(most), LabelSample(most)
        samples = self._labels[canary.version]
        answered = (canary.version, outcome.labels), (outcome.live, outcome.live_labels)
        for sample, (version, labels) in zip(samples, answered, strict=True):
            for row, given in labels.items():
                text = hash((rows[row].text, rows[row].pair if canary.version.is_pair else None))
                if sample.add(text, given) and self._counts is not None and version is not None:
                    self._counts.count_compared(version, canary.version, given)
        return samples


def _judge_labels(canary: Canary, own: LabelSample, live: LabelSample) -> str | None:
    if canary.max_label_shift >= 1 or not (own.has(canary.minimum) and live.has(canary.minimum)):
        return None
    shift, chance = shift_beyond_chance(own, live)
    if shift - chance <= canary.max_label_shift:
        return None
    return (
        f"the labels of {own.texts:.0f} texts are {shift:.0%} away from those of the live version, {chance:.0%} of "
        f"which chance may explain; the limit beyond that is {canary.max_label_shift:.0%}"
    )
