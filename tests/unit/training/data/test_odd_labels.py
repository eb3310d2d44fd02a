"""Labels and columns that people really have: what they mean, and what is refused."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import pytest

from training.data.example import Example
from training.data.rows import to_example
from training.data.task import load_task
from training.errors import TrainingError, TrainingWarning
from training.kinds import Kind
from training.label_form import MOST_CHARACTERS

WriteRows = Callable[[Path, list[dict[str, Any]]], Path]


def folder_of(folder: Path, rows: Sequence[dict[str, Any]], dev: Sequence[dict[str, Any]] | None = None) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in (("train", rows), ("dev", dev or rows)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return str(folder)


def pairs(*labels: Any) -> list[dict[str, Any]]:
    return [{"text": "a", "text_pair": "b", "label": label} for label in labels]


@pytest.mark.parametrize(
    "label", ["joy", "joy ", " joy", "\tjoy", "joy\n", "joy\r", "\u00a0joy", "joy\u3000", "  joy  "]
)
def test_blanks_around_a_label_do_not_make_another(label: str) -> None:
    row = {"text": "a", "label": label}
    assert to_example(row, Kind.CLASSIFICATION, "here").label == "joy"
    assert to_example({**row, "label": [label, "x"]}, Kind.MULTI_LABEL, "here").label == ("joy", "x")
    tags = {"tokens": ["a"], "tags": [label.replace("joy", "B-joy")]}
    assert to_example(tags, Kind.TAGGING, "here").label == ("B-joy",)


@pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")
def test_jsonl_and_csv_have_the_same_labels(tmp_path: Path) -> None:
    jsonl = folder_of(tmp_path / "jsonl", [{"text": "a", "label": "joy "}, {"text": "b", "label": " fear"}])
    (tmp_path / "csv").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "csv" / f"{split}.csv").write_text("text,label\na,joy \nb, fear\n")
    assert load_task(jsonl).labels == load_task(str(tmp_path / "csv")).labels == ("fear", "joy")


@pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")
def test_task_file_names_labels_with_and_without_blanks(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [{"text": "a", "label": "joy "}, {"text": "b", "label": "fear"}])
    (tmp_path / "task.json").write_text('{"label_map": {"joy ": "glee "}, "labels": ["glee", " fear"]}')
    assert load_task(source).labels == ("glee", "fear")


@pytest.mark.parametrize("label", [" ", "\t", "\u00a0", "\n", ""])
def test_blank_label_is_refused(label: str) -> None:
    with pytest.raises(TrainingError, match="`label` is empty"):
        to_example({"text": "a", "label": label}, Kind.CLASSIFICATION, "here")
    with pytest.raises(TrainingError, match="a list of names"):
        to_example({"text": "a", "label": ["x", label]}, Kind.MULTI_LABEL, "here")


@pytest.mark.parametrize("score", ["3,5", "0,25", "-1,5", "+2,0", " 3,5 ", "10,00", "3,", "1.000,5", "3;5", "drei"])
def test_text_is_no_score_and_a_decimal_comma_gets_a_hint(score: str, tmp_path: Path) -> None:
    has_hint = score not in ("3,", "1.000,5", "3;5", "drei")
    with pytest.raises(TrainingError) as error:
        to_example(pairs(score)[0], Kind.PAIR_REGRESSION, "here")
    assert ("with a point" in str(error.value)) is has_hint
    (tmp_path / "csv").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "csv" / f"{split}.csv").write_text(f'text,text_pair,label\na,b,"{score}"\n')
    with pytest.raises(TrainingError) as error:
        load_task(str(tmp_path / "csv"), Kind.PAIR_REGRESSION)
    assert str(error.value).startswith(f"{tmp_path / 'csv' / 'train.csv'}, line 2: ")
    assert ("with a point" in str(error.value)) is has_hint


@pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")
def test_decimal_comma_is_not_silently_a_class_unless_asked_for(tmp_path: Path) -> None:
    source = folder_of(tmp_path, pairs(2.5, "3,5"))
    with pytest.raises(TrainingError, match=r"line 2: the label '3,5' reads as a score: write 3\.5, with a point, or "):
        load_task(source)
    source = folder_of(tmp_path, pairs("1,5", "3,5"))
    assert load_task(source, Kind.PAIR_CLASSIFICATION).labels == ("1,5", "3,5")


@pytest.mark.parametrize("labels", [(0.0, 1.0), (1.0, 1.0), (0, 1.0), (0.0, 0.0), (1.0, 0)])
@pytest.mark.filterwarnings("ignore:.*only one training row:training.errors.TrainingWarning")
def test_zeros_and_ones_as_scores_are_warned_of_and_kind_makes_classes_of_them(
    labels: tuple[float, ...], tmp_path: Path
) -> None:
    source = folder_of(tmp_path, pairs(*labels))
    with pytest.warns(TrainingWarning, match="read as scores.*--kind pair_classification"):
        assert load_task(source).kind is Kind.PAIR_REGRESSION
    if len(set(labels)) == 2:
        assert load_task(source, Kind.PAIR_CLASSIFICATION).labels == tuple(sorted(map(str, labels)))


@pytest.mark.parametrize("labels", [(0.0, 0.5), (0.0, 2.0), (1.0, 3), (2.5, 4)])
def test_other_scores_are_not_warned_of(labels: tuple[float, ...], tmp_path: Path, recwarn: Any) -> None:
    assert load_task(folder_of(tmp_path, pairs(*labels))).kind is Kind.PAIR_REGRESSION
    assert not recwarn


@pytest.mark.parametrize("label", [10**400, -(10**400), float("nan"), float("inf"), float("-inf"), 10**4000])
def test_score_beyond_floating_point_is_refused_in_a_short_sentence(label: float) -> None:
    with pytest.raises(TrainingError, match="finite number") as error:
        to_example(pairs(label)[0], Kind.PAIR_REGRESSION, "here")
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("digits", [20, 308, 309, 400, 4000, 4301, 100_000])
@pytest.mark.parametrize("kind", [*Kind, None])
@pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")
def test_table_with_long_integers_is_read_or_refused(digits: int, kind: Kind | None, tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(f"text\ttext_pair\tlabel\na\tb\t{'1' * digits}\nc\td\t2\n")
    try:
        load_task(str(tmp_path), kind)
    except TrainingError as error:
        assert "\n" not in str(error)  # noqa: PT017 (some kinds take it)
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(f"text\tlabel\na\t{'1' * digits}\nc\t2\n")
    if kind in (None, Kind.CLASSIFICATION):
        if digits <= MOST_CHARACTERS:
            assert load_task(str(tmp_path), kind).labels == ("1" * digits, "2")
        else:
            with pytest.raises(TrainingError, match=f"has {digits} characters: give it 1 to {MOST_CHARACTERS}"):
                load_task(str(tmp_path), kind)


@pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")
@pytest.mark.parametrize("label", ["a\x1b[31m", "a\u202eb", "a\nb"])
def test_label_that_no_checkpoint_may_have_is_refused_before_the_training(label: str, tmp_path: Path) -> None:
    source = folder_of(tmp_path, [{"text": "a", "label": label}, {"text": "b", "label": "x"}])
    with pytest.raises(TrainingError, match="holds the control character"):
        load_task(source)


@pytest.mark.parametrize("declared", [None, ["city"]])
def test_tags_that_are_all_o_are_refused(declared: list[str] | None, tmp_path: Path) -> None:
    rows = [{"tokens": ["a", "b"], "tags": ["O", "O"]}, {"tokens": ["c"], "tags": ["O "]}]
    source = folder_of(tmp_path, rows)
    if declared:
        (tmp_path / "task.json").write_text(json.dumps({"labels": declared}))
    with pytest.raises(TrainingError, match="every tag of train is O"):
        load_task(source)


class TestHub:
    """Data of the hub, for which there is no task.json."""

    @pytest.fixture(autouse=True)
    def _offline_and_own_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    @pytest.mark.parametrize("column", ["context", "text_pair", "sentence2", "question2", "hypothesis", "sentence"])
    @pytest.mark.parametrize(
        ("kind", "labels"), [(Kind.CLASSIFICATION, ["x", "y"]), (Kind.MULTI_LABEL, [["x"], ["y"]])]
    )
    def test_kind_of_one_text_beats_a_column_that_looks_like_a_pair(
        self, column: str, kind: Kind, labels: list[Any], tmp_path: Path
    ) -> None:
        rows = [{"text": "a", column: "b", "label": label} for label in labels * 2]
        data = load_task("hub:" + folder_of(tmp_path / "set", rows), kind)
        assert (data.kind, data.labels) == (kind, ("x", "y"))
        assert {example.text_pair for example in data.train} == {None}

    def test_pair_kind_still_reads_the_pair(self, tmp_path: Path) -> None:
        rows = [{"text": "a", "context": "b", "label": label} for label in "xyxy"]
        data = load_task("hub:" + folder_of(tmp_path / "set", rows), Kind.PAIR_CLASSIFICATION)
        assert data.train[0] == Example("a", "x", "b")

    def test_classification_beats_tokens_and_tags(self, tmp_path: Path) -> None:
        rows = [{"tokens": ["a", "b"], "tags": ["O", "B-c"], "intent": label, "text": "a b!"} for label in "xyxy"]
        source = "hub:" + folder_of(tmp_path / "set", rows)
        assert load_task(source).kind is Kind.TAGGING
        assert load_task(source, Kind.CLASSIFICATION).train[0] == Example("a b!", "x")
        without_text = [{key: row[key] for key in ("tokens", "tags", "intent")} for row in rows]
        source = "hub:" + folder_of(tmp_path / "other", without_text)
        assert load_task(source, Kind.CLASSIFICATION).train[0] == Example("a b", "x")

    @pytest.mark.parametrize(
        ("rows", "dev", "sentence"),
        [
            ([{"body": "a", "label": "x"}], None, "a row needs `text`"),
            ([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}], [{"text": "a", "label": "z"}], "'z'"),
        ],
    )
    @pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")
    def test_no_message_advises_a_task_json_beside_it(
        self, rows: list[dict[str, Any]], dev: list[dict[str, Any]] | None, sentence: str, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError) as error:
            load_task("hub:" + folder_of(tmp_path / "set", rows, dev))
        assert sentence in str(error.value)
        assert "the folder's task.json" not in str(error.value)
        assert "folder of JSONL files" in str(error.value)

    def test_warning_of_rare_labels_says_what_is_possible(self, tmp_path: Path) -> None:
        rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
        with pytest.warns(TrainingWarning, match="written the rows to a folder of JSONL files"):
            load_task("hub:" + folder_of(tmp_path / "set", rows))
        with pytest.warns(TrainingWarning, match=r"`label_map` in the folder's task\.json"):
            load_task(str(tmp_path / "set"))
