from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.adoption.original import Original
from training.adoption.score import score_original
from training.errors import TrainingError
from training.kinds import Kind

Rows = list[dict[str, Any]]


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_is_scored_on_labelled_rows(
    originals: dict[Kind, Original], task_folders: dict[Kind, Path], kind: Kind
) -> None:
    found = score_original(originals[kind], task_folders[kind] / "dev.jsonl")
    assert found.metric == kind.default_metric
    assert found.rows >= 8
    assert found.scores[kind.default_metric] > 90


def test_wrong_answers_count(
    originals: dict[Kind, Original], tmp_path: Path, write_rows: Callable[[Path, Rows], Path]
) -> None:
    rows = [{"text": "a good film", "label": label} for label in ("pos", "neg", "neg", "neg")]
    found = score_original(originals[Kind.CLASSIFICATION], write_rows(tmp_path / "test.jsonl", rows))
    assert (found.rows, found.scores["accuracy"]) == (4, 25.0)


def test_labels_that_it_does_not_have_are_named_with_file_and_line(
    originals: dict[Kind, Original], tmp_path: Path, write_rows: Callable[[Path, Rows], Path]
) -> None:
    file = write_rows(tmp_path / "test.jsonl", [{"text": "a", "label": "pos"}, {"text": "b", "label": "mixed"}])
    with pytest.raises(TrainingError, match=r"test\.jsonl, line 2: the label 'mixed'"):
        score_original(originals[Kind.CLASSIFICATION], file)


def test_rows_without_labels_cannot_be_scored(
    originals: dict[Kind, Original], tmp_path: Path, write_rows: Callable[[Path, Rows], Path]
) -> None:
    with pytest.raises(TrainingError, match=r"line 1: the field `label` is missing"):
        score_original(originals[Kind.CLASSIFICATION], write_rows(tmp_path / "test.jsonl", [{"text": "a"}]))
