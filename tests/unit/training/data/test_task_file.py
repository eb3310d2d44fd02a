import json
import re
from pathlib import Path
from typing import Any

import pytest

from training.data.task_file import TaskFile, read_task_file
from training.errors import TrainingError
from training.kinds import Kind

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "data.md"


def write(folder: Path, content: object) -> Path:
    (folder / "task.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_folder_without_a_task_file_has_an_empty_one(tmp_path: Path) -> None:
    assert read_task_file(tmp_path) == TaskFile()
    assert not TaskFile().redefines


def test_every_field_is_read(tmp_path: Path) -> None:
    content = {
        "kind": "multi_label",
        "metric": "f1_micro",
        "labels": ["b", "a"],
        "label_map": {"c": "a", "d": None},
        "fields": {"sentence": "text"},
    }
    read = read_task_file(write(tmp_path, content))
    assert read.model_dump(mode="json", by_alias=True) == content
    assert read.kind is Kind.MULTI_LABEL


@pytest.mark.parametrize(
    ("content", "redefines"),
    [
        ({"metric": "f1", "fields": {"a": "text"}}, False),
        ({"kind": "tagging"}, True),
        ({"labels": ["a"]}, True),
        ({"label_map": {"a": None}}, True),
    ],
)
def test_only_kind_labels_and_map_redefine_labels(content: dict[str, Any], redefines: bool) -> None:
    assert TaskFile.model_validate(content).redefines is redefines


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"label": ["a"]}, "label: Extra inputs are not permitted"),
        ({"kind": "regression"}, "kind: Input should be 'classification'"),
        ({"labels": []}, "labels: List should have at least 1 item"),
        ({"labels": [0, 1]}, "labels.0: Input should be a valid string"),
        ({"labels": ["a", "b", "a"]}, "`labels` names 'a' twice"),
        ({"labels": ["a", "b"], "label_map": {"a": "b"}}, "`labels` names 'a', which `label_map` turns into 'b'"),
        ({"labels": ["a", "b"], "label_map": {"a": None}}, "`labels` names 'a', which `label_map` turns into None"),
        ({"label_map": {"a": ""}}, "label_map.a: String should have at least 1 character"),
        ({"fields": {"a": "sentence"}}, "fields.a: Input should be 'text'"),
        ({"fields": {"a": "text", "b": "text"}}, "`fields` gives two columns the name 'text'"),
        (["a"], "must be a JSON object, not list"),
    ],
)
def test_bad_content_is_refused_naming_file_and_field(tmp_path: Path, content: object, part: str) -> None:
    with pytest.raises(TrainingError) as error:
        read_task_file(write(tmp_path, content))
    assert str(error.value).startswith(f"{tmp_path / 'task.json'}: {part}")


@pytest.mark.parametrize("content", [b"{", b"\xff"])
def test_file_that_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "task.json").write_bytes(content)
    with pytest.raises(TrainingError, match=r"task\.json: not valid (JSON|UTF-8)"):
        read_task_file(tmp_path)


def test_map_that_swaps_names_may_keep_them_as_labels() -> None:
    TaskFile.model_validate({"labels": ["a", "b"], "label_map": {"a": "b", "b": "a"}})


@pytest.mark.parametrize(
    ("fields", "row", "renamed"),
    [
        ({}, {"text": "a"}, {"text": "a"}),
        ({"sentence": "text"}, {"sentence": "a", "id": 3}, {"text": "a", "id": 3}),
        ({"label_text": "label"}, {"label": 1, "label_text": "pos"}, {"label": "pos"}),
        ({"text": "text_pair", "text_pair": "text"}, {"text": "a", "text_pair": "b"}, {"text": "b", "text_pair": "a"}),
        ({"second": "text_pair"}, {"text": "a", "text_pair": "b"}, {"text": "a", "text_pair": "b"}),
    ],
)
def test_own_columns_take_our_names_and_replace_fields_of_that_name(
    fields: dict[str, str], row: dict[str, Any], renamed: dict[str, Any]
) -> None:
    assert TaskFile.model_validate({"fields": fields}).rename(row) == renamed


def test_column_that_no_row_has_is_refused_and_one_that_some_row_has_is_not(tmp_path: Path) -> None:
    task_file = TaskFile.model_validate({"fields": {"sentense": "text"}})
    with pytest.raises(TrainingError, match=r"`fields` names 'sentense', which no row.*\['label', 'sentence'\]"):
        task_file.check_columns([{"sentence": "a", "label": 1}], tmp_path)
    task_file.check_columns([{"sentence": "a"}, {"sentense": "a"}], tmp_path)


@pytest.mark.parametrize(
    ("content", "kind", "part"),
    [
        ({"labels": ["a"]}, Kind.PAIR_REGRESSION, "has scores, no labels"),
        ({"label_map": {"a": None}}, Kind.PAIR_REGRESSION, "has scores, no labels"),
        ({"labels": ["O", "city"]}, Kind.TAGGING, "'O' is a tag"),
        ({"labels": ["B-city"]}, Kind.TAGGING, "'B-city' is a tag"),
        ({"label_map": {"town": "I-city"}}, Kind.TAGGING, "'I-city' is a tag"),
    ],
)
def test_labels_that_the_kind_cannot_have_are_refused(
    tmp_path: Path, content: dict[str, Any], kind: Kind, part: str
) -> None:
    task_file = TaskFile.model_validate(content)
    with pytest.raises(TrainingError, match=part):
        task_file.check_kind(kind, tmp_path)
    task_file.check_kind(Kind.CLASSIFICATION, tmp_path)


def test_every_example_of_the_documentation_is_a_task_file() -> None:
    examples = re.findall(r"```json\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    assert {field for example in examples for field in json.loads(example)} == {
        "kind",
        "metric",
        "labels",
        "label_map",
        "fields",
    }
    for example in examples:
        TaskFile.model_validate_json(example)
