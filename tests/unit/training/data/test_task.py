from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.data.example import Example
from training.data.task import label_names, load_task, read_examples
from training.errors import TrainingError
from training.kinds import Kind

WriteRows = Callable[[Path, list[dict[str, Any]]], Path]


def texts(count: int, label: str = "ab") -> list[dict[str, Any]]:
    return [{"text": f"text {number}", "label": label[number % len(label)]} for number in range(count)]


def write_task(folder: Path, write_rows: WriteRows, train: list[dict[str, Any]], dev: list[dict[str, Any]]) -> str:
    write_rows(folder / "train.jsonl", train)
    write_rows(folder / "dev.jsonl", dev)
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        (Kind.CLASSIFICATION, ("neg", "pos")),
        (Kind.PAIR_CLASSIFICATION, ("different", "same")),
        (Kind.PAIR_REGRESSION, ()),
        (Kind.TAGGING, ("O", "B-city", "I-city", "B-genre", "I-genre")),
        (Kind.MULTI_LABEL, ("blame", "place", "praise")),
    ],
)
def test_folder_of_each_kind_is_read_with_its_labels(
    task_folders: dict[Kind, Path], kind: Kind, labels: tuple[str, ...]
) -> None:
    data = load_task(str(task_folders[kind]))
    assert data.kind is kind
    assert data.labels == labels
    assert len(data.train) == len(data.dev) == len((task_folders[kind] / "dev.jsonl").read_text().splitlines())
    assert data.source == str(task_folders[kind])


def test_given_kind_wins_over_the_rows(task_folders: dict[Kind, Path]) -> None:
    rows = task_folders[Kind.TAGGING]
    with pytest.raises(TrainingError, match="at least 2 labels"):  # all the intents are "music"
        load_task(str(rows), Kind.CLASSIFICATION)


def test_inside_tag_without_a_begin_tag_gets_both_labels() -> None:
    assert label_names([Example("a b", ("I-x", "O"))], Kind.TAGGING) == ("O", "B-x", "I-x")


def test_inside_tag_of_a_known_type_is_no_unseen_label(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(
        tmp_path, write_rows, [{"tokens": ["a"], "tags": ["B-x"]}], [{"tokens": ["a", "b"], "tags": ["B-x", "I-x"]}]
    )
    assert load_task(source).dev[0].label == ("B-x", "I-x")


@pytest.mark.parametrize(
    ("train", "bad", "label"),
    [
        (texts(4), {"text": "c", "label": "new"}, "new"),
        ([{"tokens": ["a"], "tags": ["B-x"]}], {"tokens": ["a", "b"], "tags": ["O", "B-y"]}, "B-y"),
        ([{"text": "a", "label": ["x"]}], {"text": "a", "label": ["x", "z"]}, "z"),
    ],
)
def test_dev_label_unseen_in_training_is_named_with_its_line(
    tmp_path: Path, write_rows: WriteRows, train: list[dict[str, Any]], bad: dict[str, Any], label: str
) -> None:
    source = write_task(tmp_path, write_rows, train, [train[0], bad])
    with pytest.raises(TrainingError) as error:
        load_task(source)
    assert str(error.value).startswith(f"{tmp_path / 'dev.jsonl'}, line 2: the label {label!r} does not occur")


def test_bad_row_is_named_with_its_line(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, [*texts(3), {"text": "no label"}], texts(2))
    with pytest.raises(TrainingError, match=r"train\.jsonl, line 4: .*`label` is missing"):
        load_task(source)


@pytest.mark.parametrize("empty", ["train", "dev"])
def test_empty_split_is_refused(tmp_path: Path, write_rows: WriteRows, empty: str) -> None:
    rows = {"train": texts(2), "dev": texts(2), empty: []}
    with pytest.raises(TrainingError, match="at least one row"):
        load_task(write_task(tmp_path, write_rows, rows["train"], rows["dev"]))


@pytest.mark.parametrize(
    "rows", [texts(3, label="a"), [{"text": "a", "label": []}]], ids=["one class", "no label at all"]
)
def test_task_with_nothing_to_tell_apart_is_refused(
    tmp_path: Path, write_rows: WriteRows, rows: list[dict[str, Any]]
) -> None:
    with pytest.raises(TrainingError, match="needs at least"):
        load_task(write_task(tmp_path, write_rows, rows, rows))


def test_missing_folder_and_missing_file_are_named(tmp_path: Path, write_rows: WriteRows) -> None:
    with pytest.raises(TrainingError, match="nowhere is no folder"):
        load_task(str(tmp_path / "nowhere"))
    write_rows(tmp_path / "train.jsonl", texts(2))
    with pytest.raises(TrainingError, match=r"dev\.jsonl is missing"):
        load_task(str(tmp_path))


def test_sample_of_train_rows_follows_the_seed_and_keeps_all_labels(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, texts(40, label="abcdefgh"), texts(8, label="abcdefgh"))
    whole, first, again, other = (
        load_task(source),
        load_task(source, train_rows=3, seed=1),
        load_task(source, train_rows=3, seed=1),
        load_task(source, train_rows=3, seed=2),
    )
    assert len(first.train) == 3
    assert first.train == again.train != other.train
    assert first.labels == whole.labels == tuple("abcdefgh")
    assert first.dev == whole.dev
    assert load_task(source, train_rows=1000).train == whole.train


@pytest.mark.parametrize("split", ["train", "dev"])
def test_data_hash_changes_with_a_row_of_either_split(tmp_path: Path, write_rows: WriteRows, split: str) -> None:
    source = write_task(tmp_path, write_rows, texts(4), texts(4))
    before = load_task(source).sha256
    assert load_task(source).sha256 == before
    write_rows(tmp_path / f"{split}.jsonl", [*texts(3), {"text": "another", "label": "a"}])
    assert load_task(source).sha256 != before


def test_file_for_a_trained_task_is_held_against_its_labels(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "test.jsonl", texts(4))
    assert [example.label for example in read_examples(path, Kind.CLASSIFICATION, ("a", "b"))] == ["a", "b", "a", "b"]
    with pytest.raises(TrainingError, match=r"test\.jsonl, line 2: the label 'b'"):
        read_examples(path, Kind.CLASSIFICATION, ("a", "c"))


def test_file_without_rows_is_refused(tmp_path: Path, write_rows: WriteRows) -> None:
    with pytest.raises(TrainingError, match="has no rows"):
        read_examples(write_rows(tmp_path / "test.jsonl", []), Kind.CLASSIFICATION, ("a", "b"))
