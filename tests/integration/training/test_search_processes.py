"""One search in several real processes, some of them killed."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import optuna
import pytest

from training.search.result import Trial, read_result

Start = Callable[..., Popen[str]]


@pytest.fixture
def search(start: Start, mood: Path, encoder_folder: Path, tmp_path: Path) -> Callable[[], Popen[str]]:
    """search() starts one process of the same search in tmp_path."""

    def search() -> Popen[str]:
        options = ["--encoder", encoder_folder, "--teacher-layers", "1-3", "--student-layers", "1-2", "--epochs", "1-3"]
        options += [
            "--learning-rate",
            "1e-3",
            "--max-length",
            "16",
            "--seed",
            "0",
            "--seed",
            "1",
            "--batch-size",
            "4",
            "--no-prune",
        ]
        return start("search", mood, "--output", tmp_path / "mood", *options)

    return search


def ended(folder: Path) -> list[Trial]:
    """Every training that finished; one that was repeated occurs twice."""
    url = f"sqlite:///{folder / 'trials.db'}"
    studies = [optuna.load_study(study_name=one, storage=url) for one in optuna.get_all_study_names(url)]
    trials = [trial.user_attrs.get("result") for study in studies for trial in study.trials]
    return [Trial.model_validate(trial) for trial in trials if trial is not None]


def written(folder: Path, trials: list[Trial]) -> dict[str, int]:
    """The modification time of each trial's checkpoint."""
    return {trial.checkpoint: (folder / trial.checkpoint / "branch.json").stat().st_mtime_ns for trial in trials}


def test_search_killed_again_and_again_goes_on_and_repeats_no_finished_trial(
    search: Callable[[], Popen[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "mood"
    for lines in (1, 2, 1):  # killed in the middle of a trial, after this many finished ones
        process = search()
        for _ in range(lines):
            assert "seed" in process.stdout.readline()
        process.kill()
        process.wait()
    before = ended(folder)
    times = written(folder, before)
    assert len(times) == len(before) >= 4
    process = search()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    after = written(folder, ended(folder))
    assert len(after) == len(ended(folder)) == len(read_result(folder).trials) > len(before)
    assert times.items() <= after.items()


def test_two_processes_share_one_search(search: Callable[[], Popen[str]], tmp_path: Path) -> None:
    first, second = search(), search()
    outputs = [process.communicate(timeout=180)[0] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    folder = tmp_path / "mood"
    trained = [
        line.split()[1] for output in outputs for line in output.splitlines() if re.search(r"\(\d+ of \d+\)", line)
    ]
    assert len(trained) == len(set(trained)) == len(ended(folder)) == len(read_result(folder).trials)
    assert all("teacher_" in output or "student_" in output for output in outputs)
    assert not (folder / "cache").exists()
