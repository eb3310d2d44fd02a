import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.data.example import Example
from training.data.task import TaskData, load_task, read_examples
from training.errors import TrainingError, TrainingWarning
from training.kinds import Kind

pytestmark = pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")  # a few rows are enough here

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


def test_inside_tag_of_a_known_type_is_no_unseen_label(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(
        tmp_path, write_rows, [{"tokens": ["a"], "tags": ["B-x"]}], [{"tokens": ["a", "b"], "tags": ["B-x", "I-x"]}]
    )
    assert load_task(source).dev[0].label == ("B-x", "I-x")


@pytest.mark.parametrize(
    ("train", "bad", "label"),
    [
        (texts(4), {"text": "c", "label": "new"}, "new"),
        ([{"tokens": ["a"], "tags": ["B-x"]}], {"tokens": ["a", "b"], "tags": ["O", "B-y"]}, "y"),
        ([{"text": "a", "label": ["x"]}], {"text": "a", "label": ["x", "z"]}, "z"),
    ],
)
def test_dev_label_unseen_in_training_is_named_with_its_line(
    tmp_path: Path, write_rows: WriteRows, train: list[dict[str, Any]], bad: dict[str, Any], label: str
) -> None:
    source = write_task(tmp_path, write_rows, train, [train[0], bad])
    with pytest.raises(TrainingError) as error:
        load_task(source)
    message = str(error.value)
    assert message.startswith(
        f"{tmp_path / 'dev.jsonl'}, line 2: the label {label!r} does not occur in the training data (1 row has"
    )
    assert "`labels`" in message
    assert "null in `label_map`" in message


def test_bad_row_is_named_with_its_line(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, [*texts(3), {"text": "no label"}], texts(2))
    with pytest.raises(TrainingError, match=r"train\.jsonl, line 4: .*`label` is missing"):
        load_task(source)


@pytest.mark.parametrize("empty", ["train", "dev"])
def test_empty_split_is_refused(tmp_path: Path, write_rows: WriteRows, empty: str) -> None:
    rows = {"train": texts(2), "dev": texts(2), empty: []}
    with pytest.raises(TrainingError, match="at least one row"):
        load_task(write_task(tmp_path, write_rows, rows["train"], rows["dev"]))


def test_empty_splits_are_refused_also_where_task_json_renames_fields(tmp_path: Path, write_rows: WriteRows) -> None:
    (tmp_path / "task.json").write_text('{"fields": {"sentence": "text"}}')
    with pytest.raises(TrainingError, match="at least one row"):
        load_task(write_task(tmp_path, write_rows, [], []))


@pytest.mark.parametrize(
    "rows", [texts(3, label="a"), [{"text": "a", "label": []}]], ids=["one class", "no label at all"]
)
def test_task_with_nothing_to_tell_apart_is_refused(
    tmp_path: Path, write_rows: WriteRows, rows: list[dict[str, Any]]
) -> None:
    with pytest.raises(TrainingError, match="needs at least"):
        load_task(write_task(tmp_path, write_rows, rows, rows))


def test_missing_folder_and_missing_file_are_named(tmp_path: Path, write_rows: WriteRows) -> None:
    with pytest.raises(TrainingError, match="nowhere is not a folder"):
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
    assert len({example.label for example in first.train}) <= 3
    assert first.labels == whole.labels == tuple("abcdefgh")
    assert first.dev == whole.dev
    assert load_task(source, train_rows=1000).train == whole.train


def test_sample_of_dev_rows_follows_the_seed_and_leaves_train_alone(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, texts(40), texts(30))
    whole, first, again, other = (
        load_task(source),
        load_task(source, dev_rows=5, seed=1),
        load_task(source, None, 7, 1, 5),
        load_task(source, dev_rows=5, seed=2),
    )
    assert len(first.dev) == 5
    assert first.dev == again.dev != other.dev
    assert (first.train, first.sha256) == (whole.train, whole.sha256)
    assert again.train == load_task(source, train_rows=7, seed=1).train
    assert load_task(source, dev_rows=30).dev == whole.dev


@pytest.mark.parametrize("split", ["train", "dev"])
def test_data_hash_changes_with_a_row_of_either_split(tmp_path: Path, write_rows: WriteRows, split: str) -> None:
    source = write_task(tmp_path, write_rows, texts(4), texts(4))
    before = load_task(source).sha256
    assert load_task(source).sha256 == before
    write_rows(tmp_path / f"{split}.jsonl", [*texts(3), {"text": "another", "label": "a"}])
    assert load_task(source).sha256 != before


def test_data_hash_of_a_folder_without_task_file_is_that_of_its_rows(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, texts(4), texts(2))
    assert load_task(source).sha256 == hashlib.sha256(json.dumps(texts(4) + texts(2)).encode()).hexdigest()


def test_label_of_one_training_row_is_warned_of_whatever_the_sample(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, [*texts(8), {"text": "c", "label": "rare"}], texts(2))
    with pytest.warns(TrainingWarning, match=r"1 label has only one training row \('rare'\)"):
        load_task(source)
    (tmp_path / "train.jsonl").unlink()
    write_rows(tmp_path / "train.jsonl", texts(8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_task(source, train_rows=2)


TABLES = {
    Kind.CLASSIFICATION: ("text,label\n{0},pos\n{0},neg\n", [("pos"), ("neg")]),
    Kind.PAIR_CLASSIFICATION: ("text,text_pair,label\n{0},b,1\n{0},b,0\n", [("1"), ("0")]),
    Kind.PAIR_REGRESSION: ("text,text_pair,label\n{0},b,1\n{0},b,2.5\n", [1.0, 2.5]),
    Kind.TAGGING: ("tokens,tags\n{0} b,B-x I-x\n{0},O\n", [("B-x", "I-x"), ("O",)]),
}


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("kind", TABLES)
def test_table_of_each_kind_is_read_as_json_lines_are(tmp_path: Path, kind: Kind, suffix: str) -> None:
    content, labels = TABLES[kind]
    for split in ("train", "dev"):
        rows = content.format(split).replace(",", "\t" if suffix == "tsv" else ",")
        (tmp_path / f"{split}.{suffix}").write_text(rows)
    data = load_task(str(tmp_path))
    assert data.kind is kind
    assert [example.label for example in data.train] == labels
    assert data.train[0].text.startswith("train")
    assert data.dev[0].text.startswith("dev")


def test_table_has_several_labels_a_row_only_if_the_kind_says_so(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("text,label\na,x|y\nb,x\nc,\n")
    data = load_task(str(tmp_path), Kind.MULTI_LABEL)
    assert [example.label for example in data.train] == [("x", "y"), ("x",), ()]
    with pytest.raises(TrainingError, match=r"train\.csv, line 4: `label` is empty"):
        load_task(str(tmp_path))


def test_train_and_dev_may_have_different_forms_but_each_only_one(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "dev.jsonl", [{"text": "a", "label": 1}])
    (tmp_path / "train.csv").write_text("text,label\na,1\nb,0\n")
    assert load_task(str(tmp_path)).dev == [Example("a", "1")]
    write_rows(tmp_path / "train.jsonl", texts(2))
    with pytest.raises(TrainingError, match=r"train\.jsonl and .*train\.csv both exist"):
        load_task(str(tmp_path))


def load_with(folder: Path, task_file: dict[str, Any], kind: Kind | None = None) -> TaskData:
    (folder / "task.json").write_text(json.dumps(task_file))
    return load_task(str(folder), kind)


def test_task_file_gives_kind_and_metric_and_the_caller_wins(tmp_path: Path, write_rows: WriteRows) -> None:
    rows = [{"tokens": [one], "tags": ["B-x"], "intent": one} for one in ("a", "b")]
    write_task(tmp_path, write_rows, rows, rows)
    data = load_with(tmp_path, {"kind": "classification", "metric": "f1_macro"})
    assert (data.kind, data.metric, data.labels) == (Kind.CLASSIFICATION, "f1_macro", ("a", "b"))
    assert load_with(tmp_path, {"kind": "classification"}, Kind.TAGGING).labels == ("O", "B-x", "I-x")
    assert load_with(tmp_path, {}).metric is None


def test_task_file_makes_whole_numbers_scores(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("text,text_pair,label\na,b,1\na,c,2\n")
    assert load_task(str(tmp_path)).kind is Kind.PAIR_CLASSIFICATION
    data = load_with(tmp_path, {"kind": "pair_regression"})
    assert [example.label for example in data.train] == [1.0, 2.0]
    assert isinstance(data.train[0].label, float)
    with pytest.raises(TrainingError, match="has scores, no labels"):
        load_with(tmp_path, {"kind": "pair_regression", "labels": ["1", "2"]})


def test_intent_of_token_rows_can_be_named_the_label(tmp_path: Path, write_rows: WriteRows) -> None:
    rows = [{"tokens": [one, "c"], "tags": ["O", "O"], "intent": one} for one in ("a", "b")]
    write_task(tmp_path, write_rows, rows, rows)
    data = load_with(tmp_path, {"kind": "classification", "fields": {"intent": "label"}})
    assert data.train == [Example("a c", "a"), Example("b c", "b")]


def test_own_columns_are_read_by_our_names(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text("index\tquestion1\tquestion2\tis_duplicate\n0\ta\tb\t1\n1\tc\td\t0\n")
    names = {"question1": "text", "question2": "text_pair", "is_duplicate": "label"}
    assert load_with(tmp_path, {"fields": names}).train == [Example("a", "1", "b"), Example("c", "0", "d")]
    with pytest.raises(TrainingError, match=r"task\.json: `fields` names 'question'"):
        load_with(tmp_path, {"fields": {**names, "question": "text"} | {"question1": "tokens"}})


def test_declared_labels_keep_their_order_and_let_dev_have_what_train_has_not(
    tmp_path: Path, write_rows: WriteRows
) -> None:
    write_task(tmp_path, write_rows, texts(4), [{"text": "a", "label": "new"}])
    assert load_with(tmp_path, {"labels": ["new", "b", "a", "later"]}).labels == ("new", "b", "a", "later")
    with pytest.raises(TrainingError, match=r"dev\.jsonl, line 1: the label 'new' is not among the `labels`"):
        load_with(tmp_path, {"labels": ["b", "a"]})
    with pytest.raises(TrainingError, match=r"train\.jsonl, line 2: the label 'b' .* \(2 rows have .*: 'b'\)"):
        load_with(tmp_path, {"labels": ["a", "new"]})


def test_declared_span_types_become_tags(tmp_path: Path, write_rows: WriteRows) -> None:
    write_task(tmp_path, write_rows, [{"tokens": ["a"], "tags": ["B-town"]}], [{"tokens": ["a"], "tags": ["I-month"]}])
    data = load_with(tmp_path, {"labels": ["month", "city"], "label_map": {"town": "city"}})
    assert data.labels == ("O", "B-month", "I-month", "B-city", "I-city")
    assert data.train[0].label == ("B-city",)


def test_label_map_drops_and_merges_in_both_splits(tmp_path: Path, write_rows: WriteRows) -> None:
    write_task(tmp_path, write_rows, texts(6, label="abc"), [{"text": "x", "label": "odd"}, *texts(3, label="abc")])
    data = load_with(tmp_path, {"label_map": {"odd": None, "c": "b"}})
    assert data.labels == ("a", "b")
    assert [example.label for example in data.train] == list("abbabb")
    assert [example.label for example in data.dev] == list("abb")


@pytest.mark.parametrize(
    ("label_map", "part"),
    [
        ({"a": "x", "z": "y"}, "`label_map` names 'z'"),
        ({"a": None, "b": None}, "drops every row of train"),
        ({"a": "b"}, r"needs at least 2 labels; train has \['b'\]"),
    ],
)
def test_label_map_that_does_not_fit_is_refused(
    tmp_path: Path, write_rows: WriteRows, label_map: dict[str, str | None], part: str
) -> None:
    write_task(tmp_path, write_rows, texts(4), texts(4))
    with pytest.raises(TrainingError, match=part):
        load_with(tmp_path, {"label_map": label_map})


def test_data_hash_changes_with_the_labels_that_the_task_file_gives(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_task(tmp_path, write_rows, texts(6, label="abc"), texts(3, label="abc"))
    plain = load_task(source).sha256
    assert load_with(tmp_path, {"metric": "f1_macro"}).sha256 == plain
    relabelled = [
        {"labels": ["a", "b", "c"]},
        {"labels": ["c", "b", "a"]},
        {"labels": ["a", "b", "c", "d"]},
        {"label_map": {"c": "b"}},
        {"label_map": {"c": None}},
    ]
    assert len({plain, *(load_with(tmp_path, one).sha256 for one in relabelled)}) == 6


def test_file_for_a_trained_task_is_held_against_its_labels(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "test.jsonl", texts(4))
    assert [example.label for example in read_examples(path, Kind.CLASSIFICATION, ("a", "b"))] == ["a", "b", "a", "b"]
    with pytest.raises(TrainingError, match=r"test\.jsonl, line 2: the label 'b' is not one of the task's \(2 rows"):
        read_examples(path, Kind.CLASSIFICATION, ("a", "c"))


def test_table_for_a_trained_task_is_read_as_its_kind_and_by_its_task_file(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text("text,text_pair,score\na,b,2\n")
    (tmp_path / "task.json").write_text(json.dumps({"fields": {"score": "label"}}))
    assert read_examples(path, Kind.PAIR_REGRESSION, ()) == [Example("a", 2.0, "b")]
    path.write_text("tokens,tags\na b c,B-x I-y O\n")
    (tmp_path / "task.json").write_text(json.dumps({"label_map": {"x": "z", "y": None, "none": "z"}}))
    labels = ("O", "B-z", "I-z")
    assert read_examples(path, Kind.TAGGING, labels)[0].label == ("B-z", "O", "O")


def test_file_without_rows_is_refused(tmp_path: Path, write_rows: WriteRows) -> None:
    with pytest.raises(TrainingError, match="has no rows"):
        read_examples(write_rows(tmp_path / "test.jsonl", []), Kind.CLASSIFICATION, ("a", "b"))


def test_the_source_is_an_absolute_path_that_other_folders_find(
    task_folders: dict[Kind, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = task_folders[Kind.CLASSIFICATION]
    monkeypatch.chdir(folder.parent)
    assert load_task(folder.name).source == load_task(f"./{folder.name}/").source == str(folder.resolve())
