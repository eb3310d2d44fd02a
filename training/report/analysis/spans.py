"""The errors of a tagging branch: spans that are missed, spurious, or have the wrong type or boundary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from seqeval.metrics.sequence_labeling import get_entities

from training.report.analysis.precision_recall import precision_recall_f1

# (type, first word, last word)
Span = tuple[str, int, int]


@dataclass(frozen=True)
class SpanErrors:
    """One type of span, or all of them.

    gold, predicted, right: spans in the data, in the answers, and in both. A gold span is right, has the wrong type or
    boundary, or is missed. A predicted span is right, has the wrong type or boundary, or is spurious. A wrong type or
    boundary counts for the type of the gold span, a spurious span for its own type.
    """

    type: str
    gold: int
    predicted: int
    right: int
    wrong_type: int
    wrong_boundary: int
    missed: int
    spurious: int
    precision: float
    recall: float
    f1: float

    @property
    def wrong(self) -> int:
        return self.wrong_type + self.wrong_boundary + self.missed + self.spurious


def span_errors(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> list[SpanErrors]:
    """Compares BIO tags sentence by sentence. Returns one entry per type, the type with the most errors first."""
    counts: dict[str, Counter[str]] = {}
    for gold_tags, predicted_tags in zip(golds, predictions, strict=True):
        for outcome, span in _compare(_spans(gold_tags), _spans(predicted_tags)):
            counts.setdefault(span[0], Counter())[outcome] += 1
    entries = [_entry(name, found) for name, found in counts.items()]
    return sorted(entries, key=lambda entry: (-entry.wrong, entry.type))


def sum_of_span_errors(entries: Sequence[SpanErrors]) -> SpanErrors:
    """Returns the sum over all types; its F1 is the metric span F1."""
    total: Counter[str] = Counter()
    for entry in entries:
        fields = ("gold", "predicted", "right", "wrong_type", "wrong_boundary", "missed", "spurious")
        total.update({field: getattr(entry, field) for field in fields})
    return _entry("all types", total)


def _spans(tags: Sequence[str]) -> list[Span]:
    """Finds spans as the metric does: in seqeval's default mode, an I- tag without a B- tag also begins a span."""
    return [(name, first, last) for name, first, last in get_entities(list(tags))]


def _compare(golds: list[Span], predictions: list[Span]) -> list[tuple[str, Span]]:
    """Returns what to count in one sentence. No span is in more than one pair."""
    found = [("gold", span) for span in golds] + [("predicted", span) for span in predictions]
    right = set(golds) & set(predictions)
    found += [("right", span) for span in sorted(right)]
    left_golds = [span for span in golds if span not in right]
    left_predictions = [span for span in predictions if span not in right]
    for outcome, fits in (
        ("wrong_type", _same_words),
        ("wrong_boundary", _overlap_of_one_type),
        ("wrong_boundary", _overlap),
    ):
        for gold in list(left_golds):
            partner = next((span for span in left_predictions if fits(gold, span)), None)
            if partner is not None:
                found.append((outcome, gold))
                left_golds.remove(gold)
                left_predictions.remove(partner)
    return found + [("missed", span) for span in left_golds] + [("spurious", span) for span in left_predictions]


def _same_words(one: Span, other: Span) -> bool:
    return one[1:] == other[1:]


def _overlap(one: Span, other: Span) -> bool:
    return one[1] <= other[2] and other[1] <= one[2]


def _overlap_of_one_type(one: Span, other: Span) -> bool:
    return one[0] == other[0] and _overlap(one, other)


def _entry(name: str, found: Counter[str]) -> SpanErrors:
    return SpanErrors(
        name,
        found["gold"],
        found["predicted"],
        found["right"],
        found["wrong_type"],
        found["wrong_boundary"],
        found["missed"],
        found["spurious"],
        *precision_recall_f1(found["right"], found["predicted"], found["gold"]),
    )
