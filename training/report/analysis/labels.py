"""The errors of a multi-label branch, label by label."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from training.report.analysis.precision_recall import precision_recall_f1


@dataclass(frozen=True)
class LabelErrors:
    """One label. gold, predicted, right: rows that have it, rows that got it, and both. Measures are in points."""

    label: str
    gold: int
    predicted: int
    right: int
    precision: float
    recall: float
    f1: float

    @property
    def wrong(self) -> int:
        """Rows where it was missed or given wrongly."""
        return self.gold + self.predicted - 2 * self.right


def label_errors(
    golds: Sequence[Collection[str]], predictions: Sequence[Collection[str]], labels: Sequence[str]
) -> list[LabelErrors]:
    """Returns one entry per label, the label with the most errors first."""
    entries = []
    for label in labels:
        pairs = [(label in gold, label in predicted) for gold, predicted in zip(golds, predictions, strict=True)]
        gold, predicted = sum(true for true, _ in pairs), sum(answer for _, answer in pairs)
        right = sum(true and answer for true, answer in pairs)
        entries.append(LabelErrors(label, gold, predicted, right, *precision_recall_f1(right, predicted, gold)))
    return sorted(entries, key=lambda entry: (-entry.wrong, entry.label))
