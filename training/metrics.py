"""Task metrics, in points from 0 to 100, as in the paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats
from seqeval.metrics import f1_score as span_f1
from seqeval.metrics import precision_score as span_precision
from seqeval.metrics import recall_score as span_recall
from sklearn import metrics

from training.errors import TrainingError
from training.kinds import Kind


def score(kind: Kind, labels: Sequence[str], predictions: Sequence[Any], golds: Sequence[Any]) -> dict[str, float]:
    """All metrics of a kind by name. predictions, golds: one per example, in the same order.

    Both hold class names (classification), floats (regression), lists of BIO tags (tagging) or collections of class
    names (multi-label). Pearson and Spearman of constant values are 0.
    """
    if kind is Kind.PAIR_REGRESSION:
        constant = len(set(predictions)) < 2 or len(set(golds)) < 2
        result = {
            "pearson": 0.0 if constant else float(stats.pearsonr(predictions, golds)[0]),
            "spearman": 0.0 if constant else float(stats.spearmanr(predictions, golds)[0]),
        }
    elif kind is Kind.TAGGING:
        predicted, true = [list(one) for one in predictions], [list(one) for one in golds]
        words = [(a, b) for one, other in zip(predicted, true, strict=True) for a, b in zip(one, other, strict=True)]
        result = {
            "span_f1": float(span_f1(true, predicted, zero_division=0)),
            "span_precision": float(span_precision(true, predicted, zero_division=0)),
            "span_recall": float(span_recall(true, predicted, zero_division=0)),
            "word_accuracy": sum(a == b for a, b in words) / len(words),
        }
    elif kind is Kind.MULTI_LABEL:
        computed, expected = _indicators(predictions, labels), _indicators(golds, labels)
        result = {
            "f1_macro": float(metrics.f1_score(expected, computed, average="macro", zero_division=0)),
            "f1_micro": float(metrics.f1_score(expected, computed, average="micro", zero_division=0)),
            "exact_match": float((expected == computed).all(axis=1).mean()),
        }
    else:
        result = {
            "accuracy": float(metrics.accuracy_score(golds, predictions)),
            "f1_macro": float(metrics.f1_score(golds, predictions, average="macro", zero_division=0)),
            "matthews": float(metrics.matthews_corrcoef(golds, predictions)),
        }
        if len(labels) == 2:  # GLUE's F1: of the second class, "1"
            result["f1"] = float(metrics.f1_score(golds, predictions, pos_label=labels[1], zero_division=0))
    return {name: round(100 * value, 4) for name, value in result.items()}


def constant_score(kind: Kind, labels: Sequence[str], metric: str, golds: Sequence[Any]) -> float:
    """The best score that one answer for all examples reaches: what a model scores before it has learned anything."""
    answers: Sequence[Any]
    if kind is Kind.PAIR_REGRESSION:
        answers = [0.0]
    elif kind is Kind.MULTI_LABEL:
        answers = [[], *([label] for label in labels)]
    elif kind is Kind.TAGGING:
        return score(kind, labels, [["O"] * len(tags) for tags in golds], golds)[metric]
    else:
        answers = sorted(set(golds))
    return max(score(kind, labels, [answer] * len(golds), golds)[metric] for answer in answers)


def check_metric(name: str, kind: Kind, labels: Sequence[str]) -> None:
    """Raises TrainingError, listing the kind's metrics, if `name` is not one of them."""
    rows: dict[Kind, list[Any]] = {
        Kind.PAIR_REGRESSION: [0.0],
        Kind.TAGGING: [["O"]],
        Kind.MULTI_LABEL: [labels],
    }
    some = rows.get(kind, list(labels))  # every class once: scikit-learn warns if it sees only one
    known = score(kind, labels, some, some)
    if name not in known:
        raise TrainingError(f"{name!r} is not a metric of {kind} tasks; choose one of {', '.join(sorted(known))}.")


def _indicators(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> np.ndarray:
    return np.array([[label in row for label in labels] for row in rows], dtype=int)
