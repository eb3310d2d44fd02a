import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.errors import TrainingError
from training.selection.options_from_scores import Scores, read_scores

RTE = {"students": {"1": 66.1, "2": 64.6, "3": 66.8}, "teachers": {"4": 69.0, "5": 71.5}}


def file_of(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "scores.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def teacher_layers(scores: Scores, allowed: range | None = None) -> int:
    return scores.options(allowed).tasks["rte"].teacher.layers


def test_only_teachers_in_the_range_can_be_chosen(tmp_path: Path) -> None:
    teachers = {"3": 99.0, "4": 69.0, "5": 71.5, "11": 98.0, "12": 97.0}
    scores = read_scores(file_of(tmp_path, {"encoder_layers": 12, "tasks": {"rte": {**RTE, "teachers": teachers}}}))
    assert teacher_layers(scores) == 5
    assert teacher_layers(scores, range(4, 12)) == 11
    with pytest.raises(TrainingError, match=r"task rte: none of its teachers \(L = 3, 4, 5, 11, 12\) is within 6-7"):
        scores.options(range(6, 8))
    with pytest.raises(TrainingError, match="tap 0 would leave no trunk"):
        scores.options(range(4, 13))


def test_options_are_students_at_the_teachers_tap_and_full_fine_tuning_where_given(tmp_path: Path) -> None:
    scores = {"encoder_layers": 12, "tasks": {"rte": RTE, "cola": {**RTE, "teachers": {"5": 50, "12": 54.7}}}}
    tasks = read_scores(file_of(tmp_path, scores)).options().tasks
    rte, cola = tasks["rte"], tasks["cola"]
    assert [(one.role, one.layers, one.tap, one.score) for one in (*rte.students.values(), rte.teacher)] == [
        ("student", 1, 7, 66.1),
        ("student", 2, 7, 64.6),
        ("student", 3, 7, 66.8),
        ("teacher", 5, 7, 71.5),
    ]
    assert rte.full is None
    assert cola.full is not None
    assert (cola.full.layers, cola.full.tap, cola.full.score) == (12, 0, 54.7)


def test_students_are_walked_by_layers_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    shuffled = {**RTE, "students": {"3": 66.8, "1": 66.1, "2": 64.6}}
    scores = read_scores(file_of(tmp_path, {"encoder_layers": 12, "tasks": {"rte": shuffled}}))
    assert list(scores.options().tasks["rte"].students) == [1, 2, 3]


def task_with(**fields: Any) -> dict[str, Any]:
    return {"encoder_layers": 12, "tasks": {"rte": {**RTE, **fields}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a file of scores: not valid JSON"),
        ("[]", "valid dictionary"),
        ({"tasks": {"rte": RTE}}, "encoder_layers: Field required"),
        ({"encoder_layers": 1, "tasks": {"rte": RTE}}, "encoder_layers: "),
        ({"encoder_layers": 12, "tasks": {}}, "tasks: the file has none"),
        ({"encoder_layers": 12, "tasks": {"rte": RTE}, "note": ""}, "note: Extra inputs"),
        ({"encoder_layers": 12, "tasks": {"rte": {"students": {"1": 1.0}}}}, r"tasks\.rte\.teachers: Field required"),
        ({"encoder_layers": 12, "tasks": {"rte": {"teachers": {"4": 1.0}}}}, r"tasks\.rte\.students: Field required"),
        (task_with(students={}), r"tasks\.rte\.students: a score is missing"),
        (task_with(teachers={}), r"tasks\.rte\.teachers: a score is missing"),
        (task_with(l=3), r"tasks\.rte\.l: Extra inputs"),
        (task_with(students={"0": 60.0}), r"tasks\.rte\.students\.0: a number of layers"),
        (task_with(students={"1": 60.0, "1.0": 61.0}), r"tasks\.rte\.students\.1\.0: a number of layers"),
        (task_with(students={"12": 60.0}), r"tasks\.rte\.students\.12: .* a student has 1 to 11"),
        (task_with(teachers={"13": 60.0}), r"tasks\.rte\.teachers\.13: .* a teacher has 1 to 12"),
        (task_with(teachers={"4": "69"}), r"tasks\.rte\.teachers\.4: "),
        (task_with(teachers={"4": True}), r"tasks\.rte\.teachers\.4: "),
        (task_with(teachers={"4": None}), r"tasks\.rte\.teachers\.4: "),
        (task_with(teachers={"4": float("nan")}), r"tasks\.rte\.teachers\.4: .*finite"),
        (task_with(teachers={"4": float("inf")}), r"tasks\.rte\.teachers\.4: .*finite"),
        ('{"encoder_layers": 12, "tasks": {"rte": {}, "rte": {}}}', "the key 'rte' occurs twice"),
    ],
)
def test_bad_scores_are_one_sentence_that_names_task_and_field(tmp_path: Path, content: Any, message: str) -> None:
    path = file_of(tmp_path, content)
    with pytest.raises(TrainingError, match=message) as caught:
        read_scores(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder, not a file of scores"),
        (lambda path: path.write_bytes(b'{"\xff'), "not valid UTF-8 at byte 2"),
    ],
)
def test_a_path_that_is_no_json_file_is_named(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    spoil(tmp_path / "scores.json")
    with pytest.raises(TrainingError, match=f"scores.json.* {message}"):
        read_scores(tmp_path / "scores.json")
