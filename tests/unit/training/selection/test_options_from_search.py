from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.search.result import FILE, Trial, read_result, write_result
from training.selection.options_from_search import find_searched, read_searched

WriteSearch = Callable[..., Path]
MakeTrial = Callable[..., Trial]


def test_a_searched_task_gives_its_teacher_its_students_and_their_checkpoints(
    tmp_path: Path, write_search: WriteSearch
) -> None:
    folder = write_search(tmp_path / "rte", "rte")
    options = read_searched([folder])
    task = options.tasks["rte"]
    assert options.encoder_layers == 12
    assert (task.teacher.layers, task.teacher.tap, task.teacher.score) == (5, 7, 71.5)
    assert task.teacher.checkpoint == folder / "teacher-5"
    assert {layers: (one.tap, one.score, one.checkpoint) for layers, one in task.students.items()} == {
        1: (7, 66.1, folder / "student-1"),
        2: (7, 64.6, folder / "student-2"),
        3: (7, 66.8, folder / "student-3"),
    }
    assert task.full is None


def test_the_best_finished_trial_counts_and_no_other(
    tmp_path: Path, write_search: WriteSearch, make_trial: MakeTrial
) -> None:
    more = [
        make_trial("student", 1, 67.0, seed=1, checkpoint="better"),
        make_trial("student", 1, 66.5, seed=2, checkpoint="worse"),
        make_trial("student", 1, 99.0, state="pruned"),
        make_trial("student", 2, None, state="failed"),
        make_trial("vanilla", 3, 99.0),
        make_trial("full", 12, 69.7),
        make_trial("full", 12, 69.9),
    ]
    task = read_searched([write_search(tmp_path / "rte", "rte", more=more)]).tasks["rte"]
    assert {layers: one.score for layers, one in task.students.items()} == {1: 67.0, 2: 64.6, 3: 66.8}
    assert task.students[1].checkpoint == tmp_path / "rte" / "better"
    assert task.full is not None
    assert (task.full.layers, task.full.tap, task.full.score) == (12, 0, 69.9)


def test_a_folder_of_searches_is_opened_and_its_other_folders_are_told(
    tmp_path: Path, write_search: WriteSearch
) -> None:
    write_search(tmp_path / "results" / "rte", "rte")
    write_search(tmp_path / "results" / "cola", "cola")
    other = write_search(tmp_path / "elsewhere", "qqp")
    (tmp_path / "results" / "cache").mkdir()
    (tmp_path / "results" / ".hidden").mkdir()
    (tmp_path / "results" / "study.log").touch()
    found, passed_over = find_searched([tmp_path / "results", other])
    assert found == [tmp_path / "results" / "cola", tmp_path / "results" / "rte", other]
    assert passed_over == [tmp_path / "results" / "cache"]
    assert list(read_searched(found).tasks) == ["cola", "rte", "qqp"]


def test_a_path_without_any_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no searched task"):
        find_searched([tmp_path])
    with pytest.raises(TrainingError, match="nowhere is not a folder"):
        find_searched([tmp_path / "nowhere"])


@pytest.mark.parametrize("chosen", [None, 3])
def test_a_search_without_finished_teacher_is_named(
    tmp_path: Path, write_search: WriteSearch, chosen: int | None
) -> None:
    folder = write_search(tmp_path / "rte", "rte", teachers={3: 60.0}, chosen=chosen)
    if chosen is not None:
        (folder / FILE).write_text((folder / FILE).read_text().replace('"finished"', '"failed"', 1))
    with pytest.raises(TrainingError, match=f"search of task rte in {folder} is unfinished .*no finished teacher"):
        read_searched([folder])


def test_a_search_without_finished_student_is_named(tmp_path: Path, write_search: WriteSearch) -> None:
    with pytest.raises(TrainingError, match=r"search of task rte .* no finished student"):
        read_searched([write_search(tmp_path / "rte", "rte", students={})])


def test_a_finished_search_without_students_leaves_the_teacher(tmp_path: Path, write_search: WriteSearch) -> None:
    folder = write_search(tmp_path / "rte", "rte", students={})
    write_result(folder, read_result(folder).model_copy(update={"to_do": 0}))
    task = read_searched([folder]).tasks["rte"]
    assert (task.students, task.teacher.layers) == ({}, 5)


def test_a_teacher_of_one_layer_needs_no_students(tmp_path: Path, write_search: WriteSearch) -> None:
    folder = write_search(tmp_path / "rte", "rte", teachers={1: 60.0}, students={}, chosen=1, encoder_layers=2)
    assert read_searched([folder]).tasks["rte"].students == {}


def test_a_result_that_names_no_trial_of_its_own_is_damaged(tmp_path: Path, write_search: WriteSearch) -> None:
    folder = write_search(tmp_path / "rte", "rte")
    (folder / FILE).write_text((folder / FILE).read_text().replace('"teacher": 1', '"teacher": 7'))
    with pytest.raises(TrainingError, match="trial 7 does not exist"):
        read_searched([folder])


def test_a_finished_trial_without_score_is_damage(
    tmp_path: Path, write_search: WriteSearch, make_trial: MakeTrial
) -> None:
    folder = write_search(tmp_path / "rte", "rte", students={}, more=[make_trial("student", 2, None)])
    with pytest.raises(TrainingError, match="a finished student of 2 layers has no score"):
        read_searched([folder])


def test_a_range_without_the_searched_teacher_asks_for_another_search(
    tmp_path: Path, write_search: WriteSearch
) -> None:
    folder = write_search(tmp_path / "rte", "rte")
    assert read_searched([folder], range(5, 8)).tasks["rte"].teacher.layers == 5
    with pytest.raises(TrainingError, match=r"task rte: .* teacher of 5 layers, outside --teacher-layers 6-7"):
        read_searched([folder], range(6, 8))


def test_two_results_of_one_task_are_refused_with_both_folders(tmp_path: Path, write_search: WriteSearch) -> None:
    folders = [write_search(tmp_path / name, "rte") for name in ("first", "second")]
    with pytest.raises(TrainingError, match=f"{folders[0]} and {folders[1]} are both of task rte"):
        read_searched(folders)


@pytest.mark.parametrize(("encoder", "encoder_layers"), [("other", 12), ("bert", 8)])
def test_results_of_different_encoders_are_refused(
    tmp_path: Path, write_search: WriteSearch, encoder: str, encoder_layers: int
) -> None:
    first = write_search(tmp_path / "rte", "rte")
    second = write_search(tmp_path / "cola", "cola", encoder=encoder, encoder_layers=encoder_layers)
    with pytest.raises(TrainingError, match=rf"rte was searched on bert \(12 layers\), task cola on {encoder} \("):
        read_searched([first, second])
