"""What a version has answered, as names of which there are few: for the distribution of its answers."""

import math
from collections import Counter
from collections.abc import Iterable

from router.answer_from_logits import Answer
from router.registry import Version

NONE = "(none)"  # no label of several, no span
OTHER = "(other)"  # a label beyond the first MOST_LABELS
MOST_LABELS = 50
_CHARACTERS = 100  # of a label
_HIGHEST = 6  # a regression's values are counted by whole numbers, from below 0 to this and above


def answered_labels(version: Version, answers: Iterable[Answer]) -> "Counter[str]":
    """Returns how often each label was answered. Answers with several labels or spans count once for each of them."""
    found: Counter[str] = Counter()
    for answer in answers:
        found.update(labels_of(answer))
    known = _known(version)
    if known is None or len(found.keys() - known) == 0:
        return found
    bounded: Counter[str] = Counter()
    for label, number in found.items():
        bounded[label if label in known else OTHER] += number
    return bounded


def labels_of(answer: Answer) -> list[str]:
    """Returns the labels of one answer: of a regression, the whole numbers between which its value lies."""
    if "label" in answer:
        return [answer["label"][:_CHARACTERS]]
    if "labels" in answer:
        return [entry["label"][:_CHARACTERS] for entry in answer["labels"]] or [NONE]
    if "spans" in answer:
        return [span["label"][:_CHARACTERS] for span in answer["spans"]] or [NONE]
    return [_between(answer["score"])]


def _between(value: float) -> str:
    if value < 0:
        return "below 0"
    if value >= _HIGHEST:
        return f"{_HIGHEST} or more"
    low = math.floor(value)
    return f"{low} to {low + 1}"


_labels: dict[Version, frozenset[str]] = {}


def _known(version: Version) -> frozenset[str] | None:
    """The labels that are counted under their own names, or None if all are."""
    if len(version.labels) <= MOST_LABELS:
        return None
    if version not in _labels:
        first = list(dict.fromkeys(_span_label(label) for label in version.labels))[:MOST_LABELS]
        _labels[version] = frozenset(label[:_CHARACTERS] for label in first) | {NONE}
    return _labels[version]


def _span_label(label: str) -> str:
    prefix, dash, rest = label.partition("-")
    return rest if dash and prefix in ("B", "I") else label
