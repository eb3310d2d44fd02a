from pathlib import Path

import pytest

from training.data.split import Split, find_split_file, read_split
from training.data.task_file import TaskFile
from training.errors import TrainingError
from training.kinds import Kind


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv"])
def test_file_of_each_form_is_found_beside_those_of_other_splits(tmp_path: Path, suffix: str) -> None:
    for name in (f"dev.{suffix}", "dev_mismatched.jsonl", "train.csv", "dev.txt"):
        (tmp_path / name).touch()
    assert find_split_file(tmp_path, "dev") == tmp_path / f"dev.{suffix}"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"dev\.jsonl is missing"):
        find_split_file(tmp_path, "dev")


def test_two_files_of_one_split_are_both_named(tmp_path: Path) -> None:
    for name in ("train.jsonl", "train.csv"):
        (tmp_path / name).touch()
    with pytest.raises(TrainingError) as error:
        find_split_file(tmp_path, "train")
    assert f"{tmp_path / 'train.jsonl'} and {tmp_path / 'train.csv'} both exist" in str(error.value)


def test_json_values_are_left_as_they_are_and_cells_are_read_after_renaming(tmp_path: Path) -> None:
    task_file = TaskFile.model_validate({"fields": {"words": "tokens", "slots": "tags"}})
    (tmp_path / "a.jsonl").write_text('{"words": "a b", "slots": "O O"}\n')
    (tmp_path / "a.csv").write_text("words,slots\na b,O O\n")
    json_split, table = (read_split(tmp_path / name).renamed(task_file) for name in ("a.jsonl", "a.csv"))
    assert json_split.rows(Kind.TAGGING) == [(f"{tmp_path / 'a.jsonl'}, line 1", {"tokens": "a b", "tags": "O O"})]
    assert table.rows(Kind.TAGGING) == [(f"{tmp_path / 'a.csv'}, line 2", {"tokens": ["a", "b"], "tags": ["O", "O"]})]


def test_rows_that_are_no_table_keep_a_label_that_looks_like_a_number() -> None:
    pairs = [("here", {"text": "a", "label": "2.5"})]
    assert Split(pairs).rows(None) == pairs
