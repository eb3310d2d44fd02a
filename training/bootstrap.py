"""How sure a score is: the score on rows drawn again from the same rows (Efron's bootstrap).

Every way to serve a task is scored on the same draws, so that the spread of a difference or a ratio of two ways is that
of the pair: most of what is luck in one is the same luck in the other.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from seqeval.metrics.sequence_labeling import get_entities

from training.kinds import Kind
from training.metrics import score

DRAWS: Final = 200  # the error of a standard error is then some 5 %


def resampled(
    kind: Kind, labels: Sequence[str], metric: str, predictions: Sequence[Any], golds: Sequence[Any]
) -> list[float]:
    """Returns the metric on DRAWS random draws of as many rows, with replacement; in points, to two decimals.

    predictions, golds: as in metrics.score. The draws depend on the number of rows alone.
    """
    rows = len(golds)
    draws = np.random.default_rng(0).integers(0, rows, size=(DRAWS, rows))
    by_counts = _BY_COUNTS.get((kind, metric))
    if by_counts is None:
        found = np.array([_score(kind, labels, metric, predictions, golds, draw) for draw in draws])
    else:
        counts = np.asarray(by_counts[0](predictions, golds, labels), dtype=float)
        times = np.stack([np.bincount(draw, minlength=rows) for draw in draws])  # how often each row was drawn
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 100 * np.nan_to_num(by_counts[1](times @ counts), posinf=0.0)
    return [round(float(value), 2) for value in found]


def standard_error(draws: Sequence[float]) -> float:
    """Returns the standard error, in points, of a score with these `resampled` values."""
    return float(np.std(draws, ddof=1))


def _score(
    kind: Kind, labels: Sequence[str], metric: str, predictions: Sequence[Any], golds: Sequence[Any], draw: np.ndarray
) -> float:
    return score(kind, labels, [predictions[row] for row in draw], [golds[row] for row in draw])[metric]


# Of each row the counts whose sums over rows give the metric, float [rows, K]; and the metric of such sums [draws, K].
Counts = Callable[[Sequence[Any], Sequence[Any], Sequence[str]], Any]
FromSums = Callable[[np.ndarray], np.ndarray]


def _right(predictions: Sequence[Any], golds: Sequence[Any], labels: Sequence[str]) -> Any:  # noqa: ARG001
    return [[prediction == gold, 1.0] for prediction, gold in zip(predictions, golds, strict=True)]


def _share_right(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def _spans(predictions: Sequence[Any], golds: Sequence[Any], labels: Sequence[str]) -> Any:  # noqa: ARG001
    counts = []
    for prediction, gold in zip(predictions, golds, strict=True):
        found, true = set(get_entities(list(prediction))), set(get_entities(list(gold)))
        counts.append([len(found & true), len(found), len(true)])
    return counts


def _f1(sums: np.ndarray) -> np.ndarray:
    return 2 * sums[:, 0] / (sums[:, 1] + sums[:, 2])


def _moments(predictions: Sequence[Any], golds: Sequence[Any], labels: Sequence[str]) -> Any:  # noqa: ARG001
    # Centred first, so that large equal values lose no digits.
    x = np.asarray(predictions, dtype=float) - np.mean(predictions)
    y = np.asarray(golds, dtype=float) - np.mean(golds)
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _pearson(sums: np.ndarray) -> np.ndarray:
    rows, x, y, xx, yy, xy = sums.T
    return (rows * xy - x * y) / np.sqrt((rows * xx - x * x) * (rows * yy - y * y))


def _classes(predictions: Sequence[Any], golds: Sequence[Any], labels: Sequence[str]) -> Any:
    """Of each row: right or not, 1, the predicted class, the true class; both one-hot."""
    place = {label: number for number, label in enumerate(labels)}
    one_hot = np.eye(len(labels))
    predicted = one_hot[[place[label] for label in predictions]]
    true = one_hot[[place[label] for label in golds]]
    return np.hstack([_right(predictions, golds, labels), predicted, true])


def _macro_f1(sums: np.ndarray) -> np.ndarray:
    """The mean F1 of the classes that occur among the answers or the true classes, as in scikit-learn."""
    right, predicted, true = np.split(sums, 3, axis=1)
    occurs = predicted + true > 0
    return (2 * right / np.where(occurs, predicted + true, 1)).sum(axis=1) / occurs.sum(axis=1)


def _macro_f1_of_all(sums: np.ndarray) -> np.ndarray:
    """The mean F1 of all labels; one that does not occur has 0, as in scikit-learn for multi-label rows."""
    right, predicted, true = np.split(sums, 3, axis=1)
    return (2 * right / np.maximum(predicted + true, 1)).mean(axis=1)


def _hits(predictions: Sequence[Any], golds: Sequence[Any], labels: Sequence[str]) -> Any:
    """Of each row and label: given rightly, given, true. An answer is a class or a collection of them."""

    def codes(rows: Sequence[Any]) -> np.ndarray:
        sets = [{row} if isinstance(row, str) else set(row) for row in rows]
        return np.array([[label in one for label in labels] for one in sets], dtype=float)

    predicted, true = codes(predictions), codes(golds)
    return np.hstack([predicted * true, predicted, true])


def _matthews(sums: np.ndarray) -> np.ndarray:
    """Of many classes, as in scikit-learn: the covariance of the two one-hot codes over the root of their variances."""
    right, rows = sums[:, 0], sums[:, 1]
    predicted, true = np.split(sums[:, 2:], 2, axis=1)
    spread = (rows**2 - (predicted**2).sum(axis=1)) * (rows**2 - (true**2).sum(axis=1))
    return (right * rows - (predicted * true).sum(axis=1)) / np.sqrt(spread)


_BY_COUNTS: dict[tuple[Kind, str], tuple[Counts, FromSums]] = {
    (Kind.PAIR_REGRESSION, "pearson"): (_moments, _pearson),
    (Kind.TAGGING, "span_f1"): (_spans, _f1),
    (Kind.MULTI_LABEL, "f1_macro"): (_hits, _macro_f1_of_all),
}
for _kind in (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION):
    _BY_COUNTS[_kind, "accuracy"] = (_right, _share_right)
    _BY_COUNTS[_kind, "matthews"] = (_classes, _matthews)
    _BY_COUNTS[_kind, "f1_macro"] = (_hits, _macro_f1)
