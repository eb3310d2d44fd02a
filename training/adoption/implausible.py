"""Warns of an original whose outputs are probably named in another order, or on another scale, than the labels."""

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from training.data.example import Label
from training.errors import TrainingWarning
from training.kinds import Kind

_NEXT_TO_NOTHING = 5.0  # points of F1 or correlation
_FEW_ROWS = 20  # too few to say that the original answers badly


def warn_if_implausible(
    name: str, kind: Kind, scores: dict[str, float], golds: Sequence[Label], answers: Sequence[Label]
) -> None:
    """Emits a TrainingWarning if an original answers no better than a constant would, or on another scale.

    name: of the original. golds, answers: the labels of some dev rows, and its answers there. scores: all metrics of
    these, in points.
    """
    if len(golds) < _FEW_ROWS:
        return
    metric, least, than = kind.default_metric, _NEXT_TO_NOTHING, "next to nothing"
    if kind in (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION):
        least = 100 * Counter(golds).most_common(1)[0][1] / len(golds)
        than = f"less than a constant answer would have ({least:.1f})"
    if kind is Kind.PAIR_REGRESSION:
        true = np.array(golds, dtype=float)
        if ((np.array(answers, dtype=float) - true) ** 2).mean() > 4 * true.var():
            _warn(
                f"the numbers of the model {name} are on another scale than the labels of the dev rows: give the "
                "labels its scale, or leave them out of train."
            )
    if scores[metric] < least:
        _warn(
            f"the model {name} has {metric} {scores[metric]:.1f} on the labelled dev rows, {than}: check that its "
            "labels are named in the order of its outputs."
        )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, TrainingWarning, stacklevel=4)  # the caller of adopt
