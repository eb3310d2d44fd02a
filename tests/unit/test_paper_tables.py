from pathlib import Path
from typing import Any

import pytest
from finished_search import trial, write_search
from paper_costs import print_costs
from paper_scores import best_within
from paper_seeds import print_seeds
from paper_tables import print_tables

from training.search.result import Cost, CostParts, SearchResult, Trial, read_result, write_result
from training.selection.any_tap import mixed_of_any_tap
from training.selection.mixed import mixed
from training.selection.options_from_search import read_searched


def done(folder: Path, **more: Any) -> SearchResult:
    """Says in the result of a search that it is finished, and more."""
    result = read_result(folder).model_copy(update={"to_do": 0, **more})
    write_result(folder, result)
    return result


def timed(one: Trial, seconds: float, held: float | None = None, **more: object) -> Trial:
    held_scores = {} if held is None else {"accuracy": held}
    return one.model_copy(update={"processor_seconds": seconds, "held_scores": held_scores, **more})


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def quick(tmp_path: Path) -> SearchResult:
    """A search that trained L = 4 and 5 (the better, at its rate), both longer too, and stopped 7."""
    folder = write_search(tmp_path / "mpnet" / "rte", "rte", more=[])
    trials = [
        timed(trial("teacher", 4, 69.0), 40.0, 60.0),
        timed(trial("teacher", 5, 71.5), 50.0, 61.0),
        timed(trial("teacher", 5, 72.5), 100.0, 62.0, total_epochs=10),
        timed(trial("teacher", 7, None, "pruned"), 7.0),
        timed(trial("student", 1, 66.0), 10.0),
        timed(trial("full", 12, 70.0), 120.0, 63.0),
        timed(trial("full", 12, 75.0), 240.0, 63.0, total_epochs=10),
    ]
    parts = {"hidden_states": 3, "teachers": 97, "teacher_logits": 0, "students": 10, "longer_runs": 100}
    cost = Cost(**parts, processor=CostParts(**parts))
    return done(folder, trials=trials, teacher=2, cost=cost, held_rows=10)


def test_the_cost_of_every_layer_is_that_of_the_teachers_of_both_searches(
    quick: SearchResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_search(tmp_path / "exhaustive" / "rte", "rte", more=[])
    trials = [timed(trial("teacher", 7, 71.9), 70.0, 60.5), timed(trial("teacher", 6, 70.0), 60.0, 60.0)]
    done(folder, trials=trials)
    print_costs({"rte": quick}, tmp_path / "exhaustive")
    row = cells(capsys.readouterr().out.splitlines()[2])
    first, every = 110 / 120, (3 + 10 + 40 + 50 + 60 + 70) / 120
    assert row == ["rte", f"{first:.2f}", "0.00", f"{100 / 120:.2f}", "5", f"{every:.2f}", "7", "0.4", "-0.5"]


@pytest.mark.parametrize("of", ["nothing", "an unfinished search", "another rate"])
def test_every_layer_is_not_measured_before_the_search_of_them_is_finished(
    quick: SearchResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], of: str
) -> None:
    if of != "nothing":
        folder = write_search(tmp_path / "exhaustive" / "rte", "rte", more=[])
        if of == "another rate":
            other = [one.model_copy(update={"learning_rate": 1.0}) for one in read_result(folder).trials]
            done(folder, trials=other)
    print_costs({"rte": quick}, tmp_path / "exhaustive")
    assert cells(capsys.readouterr().out.splitlines()[2])[5:] == ["not measured", "", "", ""]


def test_the_threshold_of_the_best_within_the_goal_is_chosen_by_the_rows_that_choose(tmp_path: Path) -> None:
    tasks = ("cola", "mrpc", "rte", "stsb")
    scores = {"teachers": {5: 68.0}, "students": {1: 66.1, 2: 67.5}}
    options = read_searched([write_search(tmp_path / task, task, **scores) for task in tasks])
    for choose in (mixed, mixed_of_any_tap):
        best = best_within(options, choose, 0.5)  # a trunk of 7 and four branches of 1, 2 or 5 layers
        assert best is not None
        assert (best.average_score, best.overhead) == (67.5, 15 / 48)
        assert best_within(options, choose, 0.1) is None


def test_seeds_are_told_by_task_and_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, score in ((0, 70.0), (1, 72.0)):
        folder = tmp_path / f"minilm-seed{seed}" / "rte"
        done(write_search(folder, "rte", students={1: score}, more=[trial("full", 12, 80.0)]))
    done(write_search(tmp_path / "minilm-seed0" / "qnli", "qnli", students={1: 90.0}, more=[trial("full", 12, 90.0)]))
    write_search(tmp_path / "minilm-seed1" / "qnli", "qnli")  # not finished
    print_seeds(tmp_path, ("rte", "qnli"), [10.0])
    lines = [cells(line) for line in capsys.readouterr().out.splitlines()]
    assert ["rte", "full fine-tuning", "2", "80.0", "0.0"] in lines
    assert ["rte", "c = 10", "2", "71.0", "1.4"] in lines
    assert not [line for line in lines if line[0] == "qnli"]
    shares = [100 * (80.0 / 85.0), 100 * (81.0 / 85.0)]
    assert ["c = 10", "80.5 ±0.7", f"{sum(shares) / 2:.1f} ±0.8 %", "9.0", "37.5 %"] in lines


@pytest.mark.usefixtures("quick")
def test_tables_of_what_is_there_are_printed_while_the_rest_is_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_tables(tmp_path)
    told = capsys.readouterr().out
    assert "## minilm-seed0: not measured" in told
    assert "## mpnet: 1 of 6 tasks" in told
    (full,) = [cells(line) for line in told.splitlines() if line.startswith("| full fine-tuning")]
    assert full == ["full fine-tuning", "63.0", "63.0", "100.0 %", "12", "100.0 %"]
