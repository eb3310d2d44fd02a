import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from training.bootstrap import DRAWS, resampled, standard_error
from training.kinds import Kind
from training.metrics import score

ROWS = 60
CLASSES = ("a", "b", "c")
TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


def answers(kind: Kind, seed: int) -> list[Any]:
    """Random answers; with the same seed and kind the same."""
    chance = random.Random(seed)
    if kind is Kind.PAIR_REGRESSION:
        return [chance.uniform(0, 5) for _ in range(ROWS)]
    if kind is Kind.TAGGING:
        return [chance.choices(TAGS, k=5) for _ in range(ROWS)]
    if kind is Kind.MULTI_LABEL:
        return [[label for label in CLASSES if chance.random() < 0.5] for _ in range(ROWS)]
    return chance.choices(CLASSES, weights=(6, 3, 1), k=ROWS)


@pytest.mark.parametrize(
    ("kind", "metric", "labels"),
    [
        (Kind.CLASSIFICATION, "accuracy", CLASSES),
        (Kind.PAIR_CLASSIFICATION, "matthews", CLASSES),
        (Kind.CLASSIFICATION, "f1_macro", CLASSES),
        (Kind.PAIR_REGRESSION, "pearson", ()),
        (Kind.PAIR_REGRESSION, "spearman", ()),
        (Kind.TAGGING, "span_f1", TAGS),
        (Kind.MULTI_LABEL, "f1_macro", (*CLASSES, "never")),
        (Kind.MULTI_LABEL, "exact_match", CLASSES),
    ],
)
def test_each_draw_has_the_metric_of_its_rows(kind: Kind, metric: str, labels: Sequence[str]) -> None:
    predictions, golds = answers(kind, 1), answers(kind, 2)
    predictions[: ROWS // 2] = golds[: ROWS // 2]
    found = resampled(kind, labels, metric, predictions, golds)
    draws = np.random.default_rng(0).integers(0, ROWS, size=(DRAWS, ROWS))
    for draw in (0, 7, DRAWS - 1):
        rows = draws[draw]
        expected = score(kind, labels, [predictions[row] for row in rows], [golds[row] for row in rows])[metric]
        assert found[draw] == pytest.approx(expected, abs=0.006)


def test_the_standard_error_of_an_accuracy_is_the_binomials() -> None:
    golds = ["a"] * 400
    predictions = ["a"] * 320 + ["b"] * 80
    error = standard_error(resampled(Kind.CLASSIFICATION, CLASSES, "accuracy", predictions, golds))
    assert error == pytest.approx(100 * (0.8 * 0.2 / 400) ** 0.5, rel=0.2)


def test_a_draw_without_any_span_scores_0_and_not_nan() -> None:
    nothing = [["O"]] * 3
    assert set(resampled(Kind.TAGGING, TAGS, "span_f1", nothing, nothing)) == {0.0}
