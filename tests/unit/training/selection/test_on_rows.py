from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.checkpoint import Checkpoint, save_checkpoint
from training.cli.select import app
from training.errors import TrainingError
from training.kinds import Kind
from training.search.result import read_result, write_result
from training.selection.mixed import mixed
from training.selection.on_rows import files_by_task, score_suites
from training.selection.options import Option, Options, TaskOptions


def test_a_file_belongs_to_the_task_that_it_or_its_folder_is_named_after() -> None:
    files = [Path("data/rte/test.jsonl"), Path("other/cola.csv")]
    assert files_by_task(files, ["cola", "rte"]) == {"rte": files[0], "cola": files[1]}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["rte/test.jsonl", "x/y.jsonl"], "y.jsonl belongs to none of the tasks rte, cola"),
        (["rte/test.jsonl"], "task cola has no --data file"),
        (["rte/test.jsonl", "rte.jsonl", "cola.jsonl"], "are both of task rte"),
    ],
)
def test_files_that_do_not_fit_the_tasks_are_refused(files: list[str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        files_by_task([Path(file) for file in files], ["rte", "cola"])


def test_the_chosen_branches_are_scored_and_the_choice_stays(
    teachers: dict[Kind, Checkpoint], task_folders: dict[Kind, Path], tmp_path: Path
) -> None:
    kind = Kind.CLASSIFICATION
    save_checkpoint(tmp_path / "teacher", teachers[kind])
    teacher = Option("teacher", 3, 1, 12.0, tmp_path / "teacher")
    suite = mixed(Options(4, {"classification": TaskOptions(teacher, {})}), 1.0)
    told: list[str] = []
    (scored,) = score_suites([suite], {"classification": task_folders[kind] / "dev.jsonl"}, told.append)
    option = scored.tasks["classification"]
    assert (option.score, option.told) == (12.0, teachers[kind].record.scores["accuracy"])
    assert option.figure is not None
    assert (option.figure.rows, option.figure.chose_nothing) == (24, True)
    assert told == ["classification: teacher, layers: 3"]
    without = replace(suite, tasks={"classification": replace(teacher, checkpoint=None)})
    with pytest.raises(TrainingError, match="has no weights"):
        score_suites([without], {"classification": tmp_path}, told.append)


def test_select_scores_its_row_on_a_file_and_says_what_the_rows_are(
    write_search: object, teachers: dict[Kind, Checkpoint], task_folders: dict[Kind, Path], tmp_path: Path
) -> None:
    folder = write_search(tmp_path / "mood", "mood", teachers={3: 71.5}, students={1: 70.9}, chosen=3)  # type: ignore[operator]
    (folder / "student-1").rmdir()
    save_checkpoint(folder / "student-1", teachers[Kind.CLASSIFICATION])
    rows = tmp_path / "mood.jsonl"
    rows.write_bytes((task_folders[Kind.CLASSIFICATION] / "dev.jsonl").read_bytes())
    found = CliRunner().invoke(app, [str(folder), "--data", str(rows)])
    assert found.exit_code == 0, found.output
    assert "On rows that chose nothing; ± one standard error." in found.stdout
    score = teachers[Kind.CLASSIFICATION].record.scores["accuracy"]
    assert f"{score:.1f} ±" in found.stdout


def test_select_says_that_a_search_is_unfinished(write_search: object, tmp_path: Path) -> None:
    folder = write_search(tmp_path / "rte", "rte")  # type: ignore[operator]
    write_result(folder, read_result(folder).model_copy(update={"to_do": 2}))
    found = CliRunner().invoke(app, [str(folder), "--json"])
    assert found.exit_code == 0, found.output
    assert f"the search of task rte in {folder} is unfinished (2 trainings are left)" in found.stderr
