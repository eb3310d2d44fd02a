import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from training.errors import TrainingError
from training.result_file import read_result_file, write_result_file


class Score(BaseModel):
    task: str
    score: float


OLD, NEW = Score(task="größe", score=1.0), Score(task="größe", score=2.0)


def test_result_is_replaced_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for result in (OLD, NEW):
        write_result_file(path, result)
        assert read_result_file(path, Score, "train again") == result
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_result_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    write_result_file(path, OLD)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_result_file(path, NEW)
    assert read_result_file(path, Score, "train again") == OLD
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"task": "a", "sco', "is damaged .*: train again"),
        ('{"task": "a", "score": "high"}', "result.json: score: .*: train again"),
    ],
)
def test_damaged_result_names_file_and_field(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(TrainingError, match=message):
        read_result_file(path, Score, "train again")
