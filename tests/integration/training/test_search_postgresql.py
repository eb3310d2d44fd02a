"""Two searches, in two processes and two folders of one results folder, with their trials in a real PostgreSQL."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import optuna
import pytest
from postgresql import PASSWORD, postgresql, why_not

from training.search.result import Trial, read_result

Start = Callable[..., Popen[str]]

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture
def storage() -> Iterator[str]:
    with postgresql() as url:
        yield url


def _ended(url: str) -> list[Trial]:
    """Every training that finished; one that was repeated occurs twice."""
    studies = [optuna.load_study(study_name=one, storage=url) for one in optuna.get_all_study_names(url)]
    trials = [trial.user_attrs.get("result") for study in studies for trial in study.trials]
    return [Trial.model_validate(trial) for trial in trials if trial is not None]


def test_two_searches_share_a_database_and_one_that_is_killed_goes_on(
    start: Start, mood: Path, encoder_folder: Path, tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESPALIER_STORAGE", storage)  # with its password, which `ps` would show
    shutil.copytree(mood, tmp_path / "data" / "tone")
    options = ["--encoder", encoder_folder, "--teacher-layers", "1-2", "--student-layers", "1-1", "--epochs", "1-1"]
    options += ["--learning-rate", "1e-3", "--max-length", "16", "--batch-size", "4"]
    results = tmp_path / "results"

    def search(data: Path) -> Popen[str]:
        return start("search", data, "--output", results / data.name, "--no-prune", *options)

    killed, other = search(mood), search(tmp_path / "data" / "tone")  # at once, into a database without tables
    first = killed.stdout.readline()
    assert "seed" in first
    killed.kill()
    killed.wait()
    output, _ = other.communicate(timeout=180)
    assert other.returncode == 0, output
    again, _ = (resumed := search(mood)).communicate(timeout=180)
    assert resumed.returncode == 0, again

    expected = {read_result(results / name).task: len(read_result(results / name).trials) for name in ("mood", "tone")}
    assert expected["mood"] == expected["tone"]
    assert len(_ended(storage)) == sum(expected.values())  # nothing that had finished was trained again
    assert not list(results.glob("*/trials.db"))
    assert PASSWORD not in first + again + output
