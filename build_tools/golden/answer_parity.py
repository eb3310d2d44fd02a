"""Answer parity: graphs of a lower precision still give the golden examples' answers."""

from collections.abc import Sequence

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.runnable import REGRESSION_TOLERANCE, TIE, Runnable
from training.kinds import Kind
from training.tokenization import NOT_SEEN


def check_answers(golden: GoldenBatch, trunk: Runnable, branch: Runnable) -> None:
    """Runs the golden examples through trunk and branch.

    Raises BuildError if an answer differs, see first_difference.
    """
    difference = first_difference(golden, golden.logits(golden.hidden(trunk), branch))
    if difference is not None:
        raise BuildError(difference)


def first_difference(golden: GoldenBatch, logits: Sequence[np.ndarray]) -> str | None:
    """Describes the first golden example whose answer differs: both answers, and by how much. None if all agree.

    logits: of each example, as GoldenBatch.logits returns them.
    Answers agree if they have the same class; the same labels with a probability over 0.5; the same tag for each word,
    which is that of its first sub-word; or a value within 2 % of the golden values' range. A golden answer that leads
    by less than a thousandth of the golden logits' range is a tie: either answer agrees.
    """
    kind, labels = golden.record.kind, golden.record.labels
    is_value = kind is Kind.PAIR_REGRESSION
    tolerance = REGRESSION_TOLERANCE * float(np.ptp([one[0] for one in golden.expected])) if is_value else 0.0
    tie = TIE * float(np.ptp(np.concatenate([one.reshape(-1) for one in golden.expected])))
    for number, (expected, computed) in enumerate(zip(golden.expected, logits, strict=True)):
        if not np.isfinite(computed).all():
            difference: str | None = "its logits are not finite"
        elif is_value:
            difference = _other_value(float(expected[0]), float(computed[0]), tolerance)
        elif kind is Kind.TAGGING:
            difference = _other_tag(golden, number, computed, tie)
        elif kind is Kind.MULTI_LABEL:
            difference = _other_labels(labels, expected, computed, tie)
        else:
            difference = _other_class(labels, expected, computed, tie)
        if difference is not None:
            return f"golden example {number + 1} ({golden.examples[number].text[:60]!r}): {difference}"
    return None


def _other_value(expected: float, computed: float, tolerance: float) -> str | None:
    if abs(expected - computed) <= tolerance:
        return None
    return f"{computed:.4g} in place of {expected:.4g}; a difference of at most {tolerance:.2g} is allowed"


def _other_class(labels: Sequence[str], expected: np.ndarray, computed: np.ndarray, tie: float) -> str | None:
    before, after = int(expected.argmax()), int(computed.argmax())
    margin = float(expected[before] - expected[after])
    if before == after or margin < tie:
        return None
    return f"{labels[after]!r} in place of {labels[before]!r}, which led by {margin:.2g}"


def _other_labels(labels: Sequence[str], expected: np.ndarray, computed: np.ndarray, tie: float) -> str | None:
    for label, before, after in zip(labels, expected, computed, strict=True):
        if (before > 0) != (after > 0) and abs(before) >= tie:
            change = f"without {label!r}, which was" if before > 0 else f"with {label!r}, which was not"
            return f"{change} among its labels by {abs(float(before)):.2g}"
    return None


def _other_tag(golden: GoldenBatch, number: int, computed: np.ndarray, tie: float) -> str | None:
    example, expected = golden.examples[number], golden.expected[number]
    for (start, end), position in zip(example.words, golden.tokens[number].word_positions, strict=True):
        if position != NOT_SEEN:
            difference = _other_class(golden.record.labels, expected[position], computed[position], tie)
            if difference is not None:
                return f"the word {example.text[start:end]!r} is {difference}"
    return None
