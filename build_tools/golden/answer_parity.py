"""Whether graphs of a lower precision still give the golden examples' answers."""

from collections.abc import Sequence

import numpy as np

from build_tools.golden.golden_batch import GoldenBatch
from training.checkpoint import BranchRecord
from training.kinds import Kind
from training.tokenization import NOT_SEEN

# A value may differ by this share of the distance from the least golden value to the greatest.
REGRESSION_TOLERANCE = 0.02


def first_difference(record: BranchRecord, batch: GoldenBatch, logits: Sequence[np.ndarray]) -> str | None:
    """The first golden example with another answer, both answers and how far they lay apart; None if there is none.

    The same answer is the same class; the same classes over a probability of 0.5; the same tag of each word, which is
    that of its first sub-word (no other is read); a value within 2 % of the golden values' range.
    """
    tolerance = REGRESSION_TOLERANCE * float(np.ptp([one[0] for one in batch.expected])) if _is_value(record) else 0.0
    for number, (expected, computed) in enumerate(zip(batch.expected, logits, strict=True)):
        if not np.isfinite(computed).all():
            difference: str | None = "its logits are no finite numbers"
        elif _is_value(record):
            difference = _other_value(float(expected[0]), float(computed[0]), tolerance)
        elif record.kind is Kind.TAGGING:
            difference = _other_tag(record.labels, batch, number, expected, computed)
        elif record.kind is Kind.MULTI_LABEL:
            difference = _other_set(record.labels, expected, computed)
        else:
            difference = _other_class(record.labels, expected, computed)
        if difference is not None:
            return f"golden example {number + 1} ({batch.examples[number].text[:60]!r}): {difference}"
    return None


def _is_value(record: BranchRecord) -> bool:
    return record.kind is Kind.PAIR_REGRESSION


def _other_value(expected: float, computed: float, tolerance: float) -> str | None:
    if abs(expected - computed) <= tolerance:
        return None
    return f"{computed:.4g} in place of {expected:.4g}, allowed is a difference of {tolerance:.2g}"


def _other_class(labels: Sequence[str], expected: np.ndarray, computed: np.ndarray) -> str | None:
    before, after = int(expected.argmax()), int(computed.argmax())
    if before == after:
        return None
    margin = float(expected[before] - expected[after])
    return f"{labels[after]!r} in place of {labels[before]!r}, which led by {margin:.2g}"


def _other_set(labels: Sequence[str], expected: np.ndarray, computed: np.ndarray) -> str | None:
    for label, before, after in zip(labels, expected, computed, strict=True):
        if (before > 0) != (after > 0):
            change = f"without {label!r}, which was" if before > 0 else f"with {label!r}, which was not"
            return f"{change} among its labels by {abs(float(before)):.2g}"
    return None


def _other_tag(
    labels: Sequence[str], batch: GoldenBatch, number: int, expected: np.ndarray, computed: np.ndarray
) -> str | None:
    example = batch.examples[number]
    for (start, end), position in zip(example.words, batch.tokens[number].word_positions, strict=True):
        if position != NOT_SEEN:
            difference = _other_class(labels, expected[position], computed[position])
            if difference is not None:
                return f"the word {example.text[start:end]!r} is {difference}"
    return None
