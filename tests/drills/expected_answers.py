"""What a version must answer, by its checkpoint: PyTorch's own logits of the texts that the callers ask."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.checkpoint import GOLDEN, load_record
from training.kinds import Kind

SCORE_TOLERANCE = 1e-3
Scores = dict[str, dict[str, float]]  # {text: {label: score}}
_BY_ONE_LABEL = (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION)


def expected_scores(checkpoint: Path) -> Scores | None:
    """The scores of all labels for the texts of an untrained checkpoint; None for kinds whose answers have none.

    A pair task's texts are those of its first text; the second one is always the same.
    """
    record = load_record(checkpoint)
    if record.kind not in (*_BY_ONE_LABEL, Kind.MULTI_LABEL):
        return None
    rows = [json.loads(line) for line in (checkpoint / GOLDEN).read_text(encoding="utf-8").splitlines()]
    return {row["text"]: dict(zip(record.labels, _scores(record.kind, row["logits"]), strict=True)) for row in rows}


def _scores(kind: Kind, logits: list[float]) -> list[float]:
    values = np.array(logits)
    if kind in _BY_ONE_LABEL:
        powers = np.exp(values - values.max())
        return list(powers / powers.sum())
    return list(1 / (1 + np.exp(-values)))


def check_expected(seen: dict, expected: dict[tuple[str, int], Scores | None]) -> int:
    """Raises AssertionError if an answer is not its version's. Returns how many different ones were compared.

    seen: of fleet_load.py. expected: {(task, version): scores} of all that was ever published.
    """
    compared = 0
    for entry in seen["answers"]:
        place = (entry["task"], entry["version"])
        if entry["task"].startswith("ensemble "):
            continue  # its answers name no version; publishing_site.check_answers compares them with each other
        assert place in expected, f"{place} answered and was never published"
        scores = expected[place]
        if scores is not None:
            right = pytest.approx(scores[entry["text"]], abs=SCORE_TOLERANCE)
            assert entry["answer"]["scores"] == right, (place, entry["text"])
            compared += 1
    return compared
