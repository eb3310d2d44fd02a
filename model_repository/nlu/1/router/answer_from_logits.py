"""One row's logits -> its answer to one task, as the client gets it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from text_tokenizer import Encoded, is_truncated

from router.registry import Version
from router.row import Row
from router.spans import word_offsets, words_to_spans

Answer = dict[str, Any]

MULTI_LABEL_THRESHOLD = 0.5
DECIMALS = 6  # of a score; float32 holds no more near 1


def read_answer(version: Version, row: Row, encoding: Encoded, logits: np.ndarray) -> Answer:
    """Returns the answer of a task's version. logits: float32 [C], or [T, C] for tagging."""
    return read_scores(version, row, encoding, scores_of(version, logits))


def scores_of(version: Version, logits: np.ndarray) -> np.ndarray:
    """Returns the scores of any number of texts at once. logits: float32 [..., C]; the scores have the same shape."""
    if version.kind == "pair_regression":
        return logits
    return 1 / (1 + np.exp(-logits)) if version.kind == "multi_label" else _softmax(logits)


def read_scores(version: Version, row: Row, encoding: Encoded, scores: np.ndarray) -> Answer:
    """Returns the answer of a task's version. scores: of one text, [C], or [T, C] for tagging."""
    return {
        **_READ[version.kind](version.labels, row, encoding, scores),
        "version": version.number,
        "truncated": is_truncated(encoding),
    }


def _classification(labels: Sequence[str], row: Row, encoding: Encoded, scores: np.ndarray) -> Answer:  # noqa: ARG001
    best = int(scores.argmax())
    return {"label": labels[best], "score": _number(scores[best]), **_all_scores(labels, scores, row)}


def _regression(labels: Sequence[str], row: Row, encoding: Encoded, scores: np.ndarray) -> Answer:  # noqa: ARG001
    return {"score": _number(scores[0])}


def _multi_label(labels: Sequence[str], row: Row, encoding: Encoded, scores: np.ndarray) -> Answer:  # noqa: ARG001
    chosen = [
        {"label": label, "score": _number(score)}
        for label, score in zip(labels, scores, strict=True)
        if score > MULTI_LABEL_THRESHOLD
    ]
    return {"labels": chosen, **_all_scores(labels, scores, row)}


def _tagging(labels: Sequence[str], row: Row, encoding: Encoded, scores: np.ndarray) -> Answer:
    words = word_offsets(row.text, encoding)
    tags, tag_scores = [], []
    for _, _, position in words:
        best = int(scores[position].argmax())
        tags.append(labels[best])
        tag_scores.append(float(scores[position, best]))
    spans = words_to_spans(row.text, words, tags, tag_scores)
    for span in spans:
        span["score"] = _number(span["score"])
    if not row.all_scores:
        return {"spans": spans}
    per_word = [
        {"start": start, "end": end, "scores": dict(zip(labels, map(_number, scores[position]), strict=True))}
        for start, end, position in words
    ]
    return {"spans": spans, "words": per_word}


_READ: dict[str, Callable[[Sequence[str], Row, Encoded, np.ndarray], Answer]] = {
    "classification": _classification,
    "pair_classification": _classification,
    "pair_regression": _regression,
    "multi_label": _multi_label,
    "tagging": _tagging,
}


def _all_scores(labels: Sequence[str], scores: np.ndarray, row: Row) -> Answer:
    return {"scores": dict(zip(labels, map(_number, scores), strict=True))} if row.all_scores else {}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _number(value: float) -> float:
    return round(float(value), DECIMALS)
