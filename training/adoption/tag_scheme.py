"""The tags of an original -> ours: O, and B- and I- of each type, whatever scheme it was fine-tuned with.

Begun: B-, and S- or U- of a span of one word. Inside: I-, and E- or L- of its last word. A scheme without prefixes (IO)
gives types alone: a word begins a span unless the word before it has the same type.
"""

from collections.abc import Sequence

import numpy as np

from training.data.labels import labels_of
from training.errors import TrainingError
from training.kinds import Kind

_BEGIN, _INSIDE = ("B", "S", "U"), ("I", "E", "L")
_NEVER = -20.0  # the log-probability of a tag that the original cannot answer


def bio_labels(tags: Sequence[str], name: str) -> tuple[str, ...]:
    """Our labels for the original's tags. name: of the original, for messages.

    Raises TrainingError if the tags have no O, or if only some of them have a prefix.
    """
    spans = [tag for tag in tags if tag != "O"]
    if len(spans) == len(tags) or not spans:
        raise TrainingError(
            f"the model {name} tags words with {_some(tags)}: tags of spans are needed, O for words outside and "
            "such as B-city and I-city inside."
        )
    if len({_has_prefix(tag) for tag in spans}) > 1:
        raise TrainingError(
            f"the model {name} has tags with and without a prefix ({_some(spans)}): correct `id2label` in its "
            "config.json."
        )
    return labels_of(dict.fromkeys(_type_of(tag) for tag in spans), Kind.TAGGING)


def to_bio(logits: np.ndarray, tags: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """float32 [words, tags] of one text -> log-probabilities, float32 [words, labels]. labels: those of bio_labels.

    A word that the original did not read has NaN in each row.
    """
    read = ~np.isnan(logits).any(axis=1)
    log_probabilities = logits[read] - np.logaddexp.reduce(logits[read], axis=1, keepdims=True)
    best = np.full(len(logits), -1)
    best[read] = log_probabilities.argmax(axis=1)
    before = np.concatenate([[-1], best[:-1]])[read]  # the tag of the word before; -1 if there is none
    gathered = np.full((len(log_probabilities), len(labels)), -np.inf)
    for number, tag in enumerate(tags):
        column = log_probabilities[:, number]
        if tag == "O" or _has_prefix(tag):
            label = "O" if tag == "O" else f"{'B' if tag[0] in _BEGIN else 'I'}-{tag[2:]}"
            shares = {label: column}
        else:
            goes_on = before == number
            shares = {f"B-{tag}": np.where(goes_on, -np.inf, column), f"I-{tag}": np.where(goes_on, column, -np.inf)}
        for label, share in shares.items():
            place = labels.index(label)
            gathered[:, place] = np.logaddexp(gathered[:, place], share)
    result = np.full((len(logits), len(labels)), np.nan, dtype=np.float32)
    result[read] = np.maximum(gathered, _NEVER)
    return result


def _type_of(tag: str) -> str:
    return tag[2:] if _has_prefix(tag) else tag


def _has_prefix(tag: str) -> bool:
    return len(tag) > 2 and tag[0] in (*_BEGIN, *_INSIDE) and tag[1] == "-"


def _some(tags: Sequence[str]) -> str:
    return ", ".join(tags[:4]) + (", ..." if len(tags) > 4 else "")
