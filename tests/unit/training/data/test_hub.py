"""The hub reader with the real `datasets` library, on local folders of data files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.data.example import Example
from training.data.hub import read_hub
from training.data.task import load_task
from training.errors import TrainingError
from training.kinds import Kind

pytestmark = pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")  # a few rows are enough here

WriteRows = Callable[[Path, list[dict[str, Any]]], Path]


@pytest.fixture(autouse=True)
def _offline_and_own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def write_parquet(folder: Path, columns: dict[str, list[Any]], features: datasets.Features, dev: str) -> str:
    """Writes Parquet files with class names, like those of the hub."""
    folder.mkdir()
    for split in ("train", dev):
        pq.write_table(pa.Table.from_pydict(columns, schema=features.arrow_schema), folder / f"{split}.parquet")
    return f"hub:{folder}"


def test_jsonl_folder_is_read_through_the_datasets_library(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "set" / "train.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    write_rows(tmp_path / "set" / "dev.jsonl", [{"text": "c", "label": "x"}])
    data = load_task(f"hub:{tmp_path / 'set'}")
    assert (data.kind, data.labels) == (Kind.CLASSIFICATION, ("x", "y"))
    assert data.train == [Example("a", "x"), Example("b", "y")]
    assert data.dev == [Example("c", "x")]


def test_class_numbers_become_names_and_glue_columns_are_known(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "sentence1": datasets.Value("string"),
            "sentence2": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["not_equivalent", "equivalent"]),
            "idx": datasets.Value("int32"),
        }
    )
    columns = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [1, 0], "idx": [0, 1]}
    data = load_task(write_parquet(tmp_path / "mrpc", columns, features, "validation"))
    assert data.kind is Kind.PAIR_CLASSIFICATION
    assert data.train == data.dev == [Example("a", "equivalent", "c"), Example("b", "not_equivalent", "d")]


def test_question_and_sentence_are_a_pair_and_a_sentence_alone_is_none(tmp_path: Path) -> None:
    label = datasets.ClassLabel(names=["entailment", "not_entailment"])
    text = datasets.Value("string")
    pair = datasets.Features({"question": text, "sentence": text, "label": label})
    columns = {"question": ["who?", "why?"], "sentence": ["me.", "so."], "label": [0, 1]}
    assert load_task(write_parquet(tmp_path / "qnli", columns, pair, "validation")).train == [
        Example("who?", "entailment", "me."),
        Example("why?", "not_entailment", "so."),
    ]
    single = datasets.Features({"sentence": text, "label": label})
    del columns["question"]
    data = load_task(write_parquet(tmp_path / "sst2", columns, single, "validation"))
    assert data.kind is Kind.CLASSIFICATION
    assert data.train[0] == Example("me.", "entailment")


def test_tag_numbers_become_names(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-city", "I-city"])),
        }
    )
    columns = {"tokens": [["in", "New", "York"]], "ner_tags": [[0, 1, 2]]}
    data = load_task(write_parquet(tmp_path / "ner", columns, features, "validation"))
    assert (data.kind, data.labels) == (Kind.TAGGING, ("O", "B-city", "I-city"))
    assert data.train[0].label == ("O", "B-city", "I-city")


def test_scores_stay_floats(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "sentence1": datasets.Value("string"),
            "sentence2": datasets.Value("string"),
            "label": datasets.Value("float32"),
        }
    )
    columns = {"sentence1": ["a"], "sentence2": ["b"], "label": [2.5]}
    data = load_task(write_parquet(tmp_path / "stsb", columns, features, "validation"))
    assert data.kind is Kind.PAIR_REGRESSION
    assert data.train == [Example("a", 2.5, "b")]


def test_row_without_a_class_is_named(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["x", "y"])})
    source = write_parquet(tmp_path / "set", {"text": ["a", "b"], "label": [0, -1]}, features, "dev")
    with pytest.raises(TrainingError, match="set train, row 2: a class number has no name"):
        load_task(source)


def test_validation_is_dev_and_test_is_never_taken(tmp_path: Path, write_rows: WriteRows) -> None:
    for split in ("train", "validation", "test"):
        write_rows(tmp_path / "set" / f"{split}.jsonl", [{"text": split, "label": "x"}])
    assert [row["text"] for _, row in read_hub(str(tmp_path / "set"))["dev"]] == ["validation"]
    (tmp_path / "set" / "validation.jsonl").unlink()
    with pytest.raises(TrainingError, match=r"needs a train and a dev split; it has \['test', 'train'\]"):
        read_hub(str(tmp_path / "set"))


def test_missing_dev_split_is_named_with_the_splits_there(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "set" / "train.jsonl", [{"text": "a", "label": "x"}])
    with pytest.raises(TrainingError, match=r"needs a train and a dev split; it has \['train'\]"):
        read_hub(str(tmp_path / "set"))


def test_data_set_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere' could not be loaded"):
        read_hub(str(tmp_path / "nowhere"))
