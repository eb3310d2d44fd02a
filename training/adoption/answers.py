"""What an original answers on the texts of a task, in the task's own labels."""

from collections.abc import Sequence

import numpy as np

from training.adoption.original import Original
from training.adoption.original_logits import logits_of_original
from training.adoption.tag_scheme import to_bio
from training.data import Example
from training.data.example import Label
from training.kinds import Kind


def answers(
    original: Original, examples: Sequence[Example], kind: Kind, names: Sequence[str], labels: Sequence[str]
) -> list[np.ndarray]:
    """The original's logits in the order of `labels`: float32 [C], or [W, C] over the words of a tagged text.

    names: of its outputs. For tagging they are log-probabilities, and NaN at words that it did not read.
    """
    logits = logits_of_original(original, examples)
    return [to_bio(row, names, labels) for row in logits] if kind is Kind.TAGGING else logits


def answer_of(logits: np.ndarray, kind: Kind, labels: Sequence[str]) -> Label:
    """What an example's label would be if the original is right. Words that it did not read are O."""
    if kind is Kind.PAIR_REGRESSION:
        return float(logits[0])
    if kind is Kind.TAGGING:
        return tuple("O" if np.isnan(row).any() else labels[int(row.argmax())] for row in logits)
    if kind is Kind.MULTI_LABEL:
        return tuple(label for label, logit in zip(labels, logits, strict=True) if logit > 0)
    return labels[int(logits.argmax())]
