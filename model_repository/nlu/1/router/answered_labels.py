"""What a version has answered, as names of which there are few: for the distribution of its answers."""

import math
from collections.abc import Iterable

from router.answer_from_logits import Answer
from router.registry import Version

NONE = "(none)"  # no label of several, no span
OTHER = "(other)"  # a label beyond the first MOST_LABELS
MOST_LABELS = 50
_CHARACTERS = 100  # of a label
_HIGHEST = 6  # a regression's values are counted by whole numbers, from below 0 to this and above


def answered_labels(version: Version, answers: Iterable[Answer]) -> dict[str, int]:
    """Returns how often each label was answered. Answers with several labels or spans count once for each of them."""
    found: dict[str, int] = {}
    for answer in answers:
        label = answer.get("label")
        for one in labels_of(answer) if label is None else (label,):
            found[one] = found.get(one, 0) + 1
    bounded: dict[str, int] = {}
    for label, number in found.items():
        name = counted_name(version, label)
        bounded[name] = bounded.get(name, 0) + number
    return bounded


def counted_name(version: Version, label: str) -> str:
    """Returns the name under which an answered label is counted."""
    is_known = len(version.labels) <= MOST_LABELS or label in _known(version)
    return label[:_CHARACTERS] if is_known else OTHER


def labels_of(answer: Answer) -> list[str]:
    """Returns the labels of one answer: of a regression, the whole numbers between which its value lies."""
    if "label" in answer:
        return [answer["label"]]
    if "labels" in answer:
        return [entry["label"] for entry in answer["labels"]] or [NONE]
    if "spans" in answer:
        return [span["label"] for span in answer["spans"]] or [NONE]
    return [_between(answer["score"])]


def _between(value: float) -> str:
    if value < 0:
        return "below 0"
    if value >= _HIGHEST:
        return f"{_HIGHEST} or more"
    low = math.floor(value)
    return f"{low} to {low + 1}"


_first_labels: dict[Version, frozenset[str]] = {}


def _known(version: Version) -> frozenset[str]:
    """The labels that are counted under their own names."""
    known = _first_labels.get(version)
    if known is None:
        first = list(dict.fromkeys(_span_label(label) for label in version.labels))[:MOST_LABELS]
        known = _first_labels[version] = frozenset({*first, NONE})
    return known


def _span_label(label: str) -> str:
    prefix, dash, rest = label.partition("-")
    return rest if dash and prefix in ("B", "I") else label
