import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.adoption.adopt import Adopted, adopt
from training.adoption.original import Original
from training.data.example import UnlabelledExample
from training.encoder import Encoder
from training.errors import TrainingError, TrainingWarning
from training.kinds import Kind
from training.prepared_task import PreparedTask
from training.tokenization import NOT_SEEN

Rows = list[dict[str, Any]]
LABELS = {
    Kind.CLASSIFICATION: ("pos", "neg"),
    Kind.PAIR_CLASSIFICATION: ("same", "different"),
    Kind.PAIR_REGRESSION: (),
    Kind.MULTI_LABEL: ("praise", "place", "blame"),
    Kind.TAGGING: ("O", "B-city", "I-city", "B-genre", "I-genre"),
}


@pytest.fixture
def write_task(tmp_path: Path, write_rows: Callable[[Path, Rows], Path]) -> Callable[..., str]:
    """write_task(train, dev=None, **task_json) -> the folder; dev: None takes train."""

    def write_task(train: Rows, dev: Rows | None = None, **task_file: Any) -> str:
        write_rows(tmp_path / "task" / "train.jsonl", train)
        write_rows(tmp_path / "task" / "dev.jsonl", train if dev is None else dev)
        if task_file:
            (tmp_path / "task" / "task.json").write_text(json.dumps(task_file))
        return str(tmp_path / "task")

    return write_task


def texts_of(rows: Rows) -> Rows:
    """The rows with `text` alone, and `text_pair` of pairs."""
    kept = [{field: row[field] for field in ("text", "text_pair") if field in row} for row in rows]
    return [row or {"text": " ".join(rows[place]["tokens"])} for place, row in enumerate(kept)]


@pytest.mark.parametrize("kind", list(Kind))
def test_kind_and_labels_are_the_originals_and_it_is_scored_on_dev(
    originals: dict[Kind, Original], task_folders: dict[Kind, Path], kind: Kind
) -> None:
    adopted = adopt(originals[kind], str(task_folders[kind]))
    assert (adopted.data.kind, adopted.data.labels) == (kind, LABELS[kind])
    assert adopted.unlabelled == {"train": 0, "dev": 0}
    assert adopted.original["scores"][kind.default_metric] > 90


@pytest.mark.parametrize("kind", list(Kind))
def test_text_alone_is_enough_and_gets_the_originals_answers(
    originals: dict[Kind, Original],
    task_folders: dict[Kind, Path],
    rows_of: Callable[[Kind], Rows],
    write_task: Callable[..., str],
    kind: Kind,
) -> None:
    labelled = adopt(originals[kind], str(task_folders[kind]))
    adopted = adopt(originals[kind], write_task(texts_of(rows_of(kind))))
    rows = len(labelled.data.train)
    assert (adopted.data.kind, adopted.data.labels) == (kind, LABELS[kind])
    assert adopted.unlabelled == {"train": rows, "dev": rows}
    assert "scores" not in adopted.original
    assert [one.text for one in adopted.data.train] == [one.text for one in labelled.data.train]
    if kind is not Kind.PAIR_REGRESSION:
        right = [
            set(one.label) == set(other.label) if kind is Kind.MULTI_LABEL else one.label == other.label
            for one, other in zip(adopted.data.train, labelled.data.train, strict=True)
        ]
        assert np.mean(right) > 0.9
    assert adopted.logits.keys() == labelled.logits.keys()


def test_rows_with_and_without_labels_may_be_mixed_and_their_labels_are_kept(
    originals: dict[Kind, Original], write_task: Callable[..., str]
) -> None:
    rows: Rows = [
        {"text": "a good film", "label": "neg"},  # wrong, and kept
        {"text": "a great film"},
        {"text": "a bad film", "label": None},
        {"text": "an awful film", "label": " "},
    ]
    adopted = adopt(originals[Kind.CLASSIFICATION], write_task(rows))
    assert [one.label for one in adopted.data.train] == ["neg", "pos", "neg", "neg"]
    assert [isinstance(one, UnlabelledExample) for one in adopted.data.train] == [False, True, True, True]
    assert adopted.original["scores"]["accuracy"] == 0.0


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_tables_need_no_label_column_either(originals: dict[Kind, Original], tmp_path: Path, suffix: str) -> None:
    separator = {"csv": ",", "tsv": "\t"}[suffix]
    for split in ("train", "dev"):
        (tmp_path / f"{split}.{suffix}").write_text("text\na good film\na bad film\n")
    assert [one.label for one in adopt(originals[Kind.CLASSIFICATION], str(tmp_path)).data.dev] == ["pos", "neg"]
    (tmp_path / f"train.{suffix}").write_text(
        f"text{separator}label\na good film{separator}neg\na bad film{separator}\n"
    )
    assert adopt(originals[Kind.CLASSIFICATION], str(tmp_path)).unlabelled == {"train": 1, "dev": 2}


def test_an_empty_cell_of_a_multi_label_table_says_that_no_name_applies(
    originals: dict[Kind, Original], tmp_path: Path
) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("text,label\na good film,\na bad film in rome,blame|place\n")
    adopted = adopt(originals[Kind.MULTI_LABEL], str(tmp_path))
    assert adopted.unlabelled == {"train": 0, "dev": 0}
    assert [one.label for one in adopted.data.train] == [(), ("blame", "place")]


def test_a_table_of_texts_is_tagged(originals: dict[Kind, Original], tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text("text\nplay  jazz in paris\n")
    assert adopt(originals[Kind.TAGGING], str(tmp_path)).data.train[0].label == ("O", "B-genre", "O", "B-city")


def test_a_table_without_words_to_tag_is_refused_with_the_columns_that_it_has(
    originals: dict[Kind, Original], tmp_path: Path
) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("sentence\nplay jazz in paris\n")
    with pytest.raises(TrainingError, match=r"names no column .text., only .sentence.: .* `fields` in task\.json"):
        adopt(originals[Kind.TAGGING], str(tmp_path))


def test_text_of_a_tagging_task_is_cut_into_words_at_white_space(
    originals: dict[Kind, Original], write_task: Callable[..., str]
) -> None:
    adopted = adopt(originals[Kind.TAGGING], write_task([{"text": " play  jazz in\tparis"}]))
    (example,) = adopted.data.train
    assert [example.text[start:end] for start, end in example.words] == ["play", "jazz", "in", "paris"]
    assert example.label == ("O", "B-genre", "O", "B-city")


def test_logits_follow_the_rows_of_the_prepared_task(
    originals: dict[Kind, Original], write_task: Callable[..., str], encoder: Encoder
) -> None:
    """Rows of which the trunk's tokenizer sees no word are left out, and words cut off have no logits."""
    rows: Rows = [{"text": "play jazz in paris"}, {"text": "\u200b"}, {"text": "play rock in a very long sentence"}]
    adopted = adopt(originals[Kind.TAGGING], write_task(rows))
    task = PreparedTask(adopted.data, "t", encoder, 9)
    logits = adopted.teacher_logits(task).logits
    seen = [sum(place != NOT_SEEN for place in one.word_positions) for one in task.tokens["train"]]
    assert len(seen) == 2
    assert len(logits) == sum(seen) < 4 + 7
    assert adopted.data.labels[int(logits[1].argmax())] == "B-genre"


def test_samples_are_those_of_load_task(originals: dict[Kind, Original], task_folders: dict[Kind, Path]) -> None:
    from training.data import load_task

    folder = str(task_folders[Kind.CLASSIFICATION])
    adopted = adopt(originals[Kind.CLASSIFICATION], folder, train_rows=5, seed=3, dev_rows=4)
    own = load_task(folder, None, 5, 3, 4)
    assert (adopted.data.train, adopted.data.dev, adopted.data.sha256) == (own.train, own.dev, own.sha256)
    halved, own = adopt(originals[Kind.CLASSIFICATION], folder, halve_dev=1), load_task(folder, halve_dev=1)
    assert (halved.data.dev, halved.data.held) == (own.dev, own.held)
    assert halved.scored == own.held


def test_an_original_that_answers_worse_than_a_constant_is_warned_of(
    originals: dict[Kind, Original], rows_of: Callable[[Kind], Rows], write_task: Callable[..., str]
) -> None:
    swapped = [row | {"label": {"pos": "neg", "neg": "pos"}[row["label"]]} for row in rows_of(Kind.CLASSIFICATION)]
    with pytest.warns(TrainingWarning, match="check that its labels are named in the order of its outputs"):
        adopt(originals[Kind.CLASSIFICATION], write_task(swapped))


def test_numbers_on_another_scale_than_the_labels_are_warned_of(
    originals: dict[Kind, Original], rows_of: Callable[[Kind], Rows], write_task: Callable[..., str]
) -> None:
    rows = [row | {"label": row["label"] / 100} for row in rows_of(Kind.PAIR_REGRESSION) * 2]
    with pytest.warns(TrainingWarning, match="on another scale than the labels"):
        adopt(originals[Kind.PAIR_REGRESSION], write_task(rows))


class TestLabelsThatDoNotFit:
    """Each message names the row or the config, and the fix."""

    def test_unknown_label(self, originals: dict[Kind, Original], write_task: Callable[..., str]) -> None:
        rows = [{"text": "good", "label": "Pos"}, {"text": "so so", "label": "mixed"}, {"text": "bad", "label": "neg"}]
        with pytest.raises(TrainingError) as error:
            adopt(originals[Kind.CLASSIFICATION], write_task(rows))
        assert "line 1: the label 'Pos' is none of the model" in str(error.value)
        assert "the model answers 'pos', 'neg'; rename with `label_map` in a task.json" in str(error.value)
        assert '{"Pos": "pos"}' in str(error.value)

    def test_label_map_renames(self, originals: dict[Kind, Original], write_task: Callable[..., str]) -> None:
        rows = [
            {"text": "a good film", "label": "Pos"},
            {"text": "x", "label": "mixed"},
            {"text": "a bad film"},
            {"text": "an awful film", "label": "neg"},
        ]
        label_map = {"Pos": "pos", "mixed": None}
        adopted = adopt(originals[Kind.CLASSIFICATION], write_task(rows, label_map=label_map))
        assert [one.label for one in adopted.data.train] == ["pos", "neg", "neg"]

    def test_unknown_span_type(self, originals: dict[Kind, Original], write_task: Callable[..., str]) -> None:
        rows = [{"tokens": ["in", "rome"], "tags": ["O", "B-town"]}]
        with pytest.raises(TrainingError, match=r"the label 'town' is none of .* the model answers 'city', 'genre'"):
            adopt(originals[Kind.TAGGING], write_task(rows))

    def test_labels_that_its_model_lacks(self, originals: dict[Kind, Original], write_task: Callable[..., str]) -> None:
        with pytest.raises(TrainingError, match=r"`labels` of task\.json names 'mixed'"):
            adopt(originals[Kind.CLASSIFICATION], write_task([{"text": "good"}], labels=["pos", "neg", "mixed"]))


def unnamed(original: Original, monkeypatch: pytest.MonkeyPatch) -> Original:
    names = {number: f"LABEL_{number}" for number in range(original.outputs)}
    monkeypatch.setattr(original.model.config, "id2label", names)
    return replace(original)


class TestOutputsWithoutNames:
    """LABEL_0, LABEL_1, ...: what transformers writes if nobody gave names."""

    def test_are_refused_with_what_to_do(
        self, originals: dict[Kind, Original], write_task: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = unnamed(originals[Kind.CLASSIFICATION], monkeypatch)
        for rows in ([{"text": "good", "label": "pos"}], [{"text": "good"}], [{"text": "good", "label": 2}]):
            with pytest.raises(TrainingError, match=r"write their names into `id2label` .* or all 2 into `labels`"):
                adopt(original, write_task(rows))

    def test_are_named_by_task_json(
        self, originals: dict[Kind, Original], write_task: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = unnamed(originals[Kind.CLASSIFICATION], monkeypatch)
        adopted = adopt(original, write_task([{"text": "a good film"}], labels=["up", "down"]))
        assert (adopted.data.labels, adopted.data.train[0].label) == (("up", "down"), "up")

    def test_are_the_datas_where_it_has_numbers(
        self, originals: dict[Kind, Original], write_task: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = unnamed(originals[Kind.CLASSIFICATION], monkeypatch)
        adopted = adopt(
            original, write_task([{"text": "good", "label": 0}, {"text": "bad"}, {"text": "awful", "label": 1}])
        )
        assert (adopted.data.labels, adopted.data.train[1].label) == (("0", "1"), "1")

    def test_of_a_tagger_can_only_be_named_in_its_config(
        self, originals: dict[Kind, Original], write_task: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = unnamed(originals[Kind.TAGGING], monkeypatch)
        with pytest.raises(TrainingError, match=r"in the order of its outputs\.$"):
            adopt(original, write_task([{"text": "in rome"}], labels=["city", "genre"]))


@pytest.mark.parametrize(
    ("asked", "rows", "message"),
    [
        (Kind.TAGGING, [{"text": "a", "label": "b"}], "tags words, and the rows of .* have a label for a whole text"),
        (Kind.CLASSIFICATION, [{"tokens": ["a"], "tags": ["O"]}], "one answer for a whole text, and the rows of"),
        (Kind.PAIR_REGRESSION, [{"text": "a", "label": 1.5}], "Espalier has regression of pairs"),
        (Kind.MULTI_LABEL, [{"text": "a", "label": "praise"}], "must be a list of names"),
        (Kind.CLASSIFICATION, [{"words": "a"}], "the field `text` is missing"),
        (Kind.TAGGING, [{"words": "a"}], "`tokens` must be a list of at least one token"),
        (Kind.TAGGING, [{"tokens": 5}], "`tokens` must be a list of at least one token, not 5"),
    ],
)
def test_rows_of_another_kind_are_refused(
    originals: dict[Kind, Original], write_task: Callable[..., str], asked: Kind, rows: Rows, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        adopt(originals[asked], write_task(rows))


def test_a_kind_that_the_original_does_not_answer_is_refused(
    originals: dict[Kind, Original], write_task: Callable[..., str]
) -> None:
    folder = write_task([{"text": "a"}])
    with pytest.raises(
        TrainingError, match=r"answers tasks of kind classification or pair_classification, not tagging"
    ):
        adopt(originals[Kind.CLASSIFICATION], folder, Kind.TAGGING)


def test_a_config_that_does_not_say_its_problem_leaves_it_to_the_rows(
    originals: dict[Kind, Original],
    rows_of: Callable[[Kind], Rows],
    write_task: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind in (Kind.MULTI_LABEL, Kind.PAIR_CLASSIFICATION, Kind.CLASSIFICATION, Kind.PAIR_REGRESSION):
        monkeypatch.setattr(originals[kind].model.config, "problem_type", None)
        adopted: Adopted = adopt(originals[kind], write_task(rows_of(kind)))
        assert adopted.data.kind is kind
