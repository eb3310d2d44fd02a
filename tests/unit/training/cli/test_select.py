import json
import subprocess
import sys
from pathlib import Path

import pytest
from finished_search import PAPER_SCORES, write_search
from typer.testing import CliRunner, Result

from training.cli.select import app
from training.errors import TrainingError
from training.selection.suite_file import read_suite


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_of(result: Result) -> str:
    assert result.exit_code == 1
    assert isinstance(result.exception, TrainingError), result.exception
    assert result.stdout == ""
    return str(result.exception)


def test_json_has_one_row_per_threshold_in_the_order_given() -> None:
    result = invoke("--scores", PAPER_SCORES, "--threshold", 3, "--threshold", 1, "--threshold", 2, "--json")
    content = json.loads(result.stdout)
    assert content["encoder_layers"] == 12
    assert [(row["threshold"], row["total_layers"]) for row in content["rows"]] == [(3.0, 18), (1.0, 33), (2.0, 20)]


def test_json_says_all_of_a_row_and_the_threshold_is_1_if_not_given() -> None:
    (row,) = json.loads(invoke("--scores", PAPER_SCORES, "--json").stdout)["rows"]
    tasks = row.pop("tasks")
    assert tasks["rte"] == {"role": "teacher", "layers": 5, "tap": 7, "score": 71.5}
    assert tasks["sst2"] == {"role": "student", "layers": 2, "tap": 6, "score": 92.7}
    assert row.pop("average_score") == pytest.approx(82.475)
    assert row == {
        "name": "mixed (c = 1)",
        "threshold": 1.0,
        "trunk_depth": 7,
        "total_layers": 33,
        "overhead": 0.34375,
    }


def test_all_adds_the_fixed_rows_in_appendix_ds_order() -> None:
    result = invoke("--scores", PAPER_SCORES, "--threshold", 1, "--threshold", 2, "--all")
    names = ["full fine-tuning", "KD-1", "KD-2", "KD-3", "mixed (c = 1)", "mixed (c = 2)", "w/o KD"]
    rows = result.stdout.splitlines()[2:]
    assert [row.split("  ")[0].strip() or row.split("  ")[1].strip() for row in rows] == names


def test_all_says_on_stderr_which_row_no_choice_can_fill(tmp_path: Path) -> None:
    write_search(tmp_path / "rte", "rte")
    write_search(tmp_path / "cola", "cola", students={1: 60.0})
    result = invoke(tmp_path, "--all", "--json")
    assert [row["name"] for row in json.loads(result.stdout)["rows"]] == ["KD-1", "mixed (c = 1)", "w/o KD"]
    assert "no row full fine-tuning: task cola has no score of full fine-tuning." in result.stderr
    assert "no row KD-2: task cola has no student of 2 layers." in result.stderr


def test_teacher_layers_widens_the_choice() -> None:
    def teacher_of_mnli(*more: object) -> int:
        result = invoke("--scores", PAPER_SCORES, "--all", "--json", *more)
        (row,) = [row for row in json.loads(result.stdout)["rows"] if row["name"] == "w/o KD"]
        return int(row["tasks"]["stsb"]["layers"])

    assert teacher_of_mnli() == 8
    assert teacher_of_mnli("--teacher-layers", "4-11") == 11


def test_a_suite_of_searched_folders_is_written(tmp_path: Path) -> None:
    write_search(tmp_path / "results" / "rte", "rte")
    (tmp_path / "results" / "cache").mkdir()
    result = invoke(tmp_path / "results", "--threshold", 2, "--json", "--suite", tmp_path / "suite.json")
    assert json.loads(result.stdout)["rows"][0]["threshold"] == 2.0
    assert f"{tmp_path / 'results' / 'cache'} is left out" in result.stderr
    written = read_suite(tmp_path / "suite.json")
    assert (written.threshold, written.tasks["rte"].checkpoint) == (2.0, "results/rte/student-1")


def test_a_suite_that_cannot_be_is_refused_before_anything_is_printed(tmp_path: Path) -> None:
    folder, suite = write_search(tmp_path / "rte", "rte"), tmp_path / "suite.json"
    assert "--scores has none" in error_of(invoke("--scores", PAPER_SCORES, "--suite", suite))
    assert "give one --threshold" in error_of(invoke(folder, "-c", 1, "-c", 2, "--suite", suite))
    (folder / "teacher-5").rmdir()
    assert "task rte: its teacher of 5 layers has no checkpoint" in error_of(invoke(folder, "--suite", suite))
    assert not suite.exists()
    suite.write_text("mine")
    assert "is not overwritten" in error_of(invoke(folder, "--suite", suite))


def test_what_to_choose_from_is_either_folders_or_scores(tmp_path: Path) -> None:
    assert "either searched folders or --scores" in error_of(invoke())
    assert "and not both" in error_of(invoke(tmp_path, "--scores", PAPER_SCORES))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--threshold", "-1", "threshold must be 0 or more"),
        ("--threshold", "nan", "threshold must be 0 or more"),
        ("--teacher-layers", "4..10", "'4..10' is not a range"),
        ("--teacher-layers", "4-12", "tap 0 would leave no trunk"),
    ],
)
def test_a_bad_option_is_one_sentence(option: str, value: str, message: str) -> None:
    assert message in error_of(invoke("--scores", PAPER_SCORES, option, value))


def test_select_needs_no_torch() -> None:
    """It must answer at once, also where torch is not installed."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from training.cli import app\n"
        f"app(['select', '--scores', {str(PAPER_SCORES)!r}, '--all'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "34.4%" in done.stdout
