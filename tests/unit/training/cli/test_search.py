from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import training.search.search
from training.cli import app
from training.kinds import Kind
from training.search.result import SearchResult, read_result


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["search", *(str(argument) for argument in arguments)])


class AskedError(Exception):
    """Ends a call where the trainings would begin."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command asks the search to do."""
    found: dict[str, Any] = {}

    class StoppedSearch:
        def __init__(
            self,
            folder: Path,
            task: object,
            settings: object,
            grid: Any,
            storage: str,
            report: object,
            adopted: object,
        ) -> None:
            del folder, task, settings, report, adopted
            found.update(
                tolerance=grid.tolerance,
                learning_rates=grid.learning_rates,
                full_learning_rates=grid.full_learning_rates,
                storage=storage,
            )

        def run(self, cache_bytes: int) -> SearchResult:
            found["cache_bytes"] = cache_bytes
            raise AskedError

    monkeypatch.setattr(training.search.search, "Search", StoppedSearch)
    return found


DEFAULTS = {"tolerance": 0.0, "storage": None, "cache_bytes": 8 * 10**9, "full_learning_rates": []}


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ([], {}),
        (["--tolerance", "0.5"], {"tolerance": 0.5}),
        (["--storage", "mysql://host/trials"], {"storage": "mysql://host/trials"}),
        (["--cache-gb", "1.5"], {"cache_bytes": 1_500_000_000}),
        (
            ["--full-learning-rate", "1e-5", "--full-learning-rate", "3e-5"],
            {"full_learning_rates": [1e-5, 3e-5]},
        ),
    ],
)
def test_each_option_reaches_the_search_and_changes_nothing_else(
    options: list[str],
    changed: dict[str, object],
    task_folders: dict[Kind, Path],
    encoder_folder: Path,
    tmp_path: Path,
    asked: dict[str, Any],
) -> None:
    data = task_folders[Kind.CLASSIFICATION]
    common = ["--output", tmp_path, "--encoder", encoder_folder, "--max-length", 24, "--learning-rate", "1e-3"]
    result = invoke(data, *common, *options)
    assert isinstance(result.exception, AskedError), result.output
    assert asked == DEFAULTS | {"learning_rates": [1e-3]} | changed


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory, task_folders: dict[Kind, Path], encoder_folder: Path
) -> tuple[Path, Result]:
    """A search with all four options, and the folder beside its database."""
    root = tmp_path_factory.mktemp("searched")
    options = [
        "--teacher-layers",
        "1-2",
        "--student-layers",
        "1",
        "--epochs",
        "1",
        "--learning-rate",
        "1e-3",
        "--batch-size",
        8,
        "--no-prune",
    ]
    options += ["--max-length", 24]
    options += ["--tolerance", 100, "--storage", f"sqlite:///{root}/elsewhere.db", "--cache-gb", 0]
    options += ["--baseline", "full", "--full-learning-rate", "1e-4", "--full-learning-rate", "3e-4"]
    result = invoke(task_folders[Kind.CLASSIFICATION], "--output", root / "mood", "--encoder", encoder_folder, *options)
    assert result.exit_code == 0, result.output
    return root, result


def test_tolerance_lets_the_teacher_with_the_fewest_layers_win(searched: tuple[Path, Result]) -> None:
    result = read_result(searched[0] / "mood")
    assert result.teacher is not None
    assert [trial.layers for trial in result.finished("teacher")] == [1, 2]
    assert result.trials[result.teacher].layers == 1


def test_storage_keeps_the_trials_in_the_database_that_it_names(searched: tuple[Path, Result]) -> None:
    root, _ = searched
    assert (root / "elsewhere.db").is_file()
    assert not (root / "mood" / "trials.db").exists()


def test_cache_gb_of_0_stores_no_hidden_states(searched: tuple[Path, Result]) -> None:
    assert "0 of 2 taps are kept" in searched[1].stdout


def test_full_learning_rate_is_for_full_fine_tuning_alone(searched: tuple[Path, Result]) -> None:
    result = read_result(searched[0] / "mood")
    assert [trial.learning_rate for trial in result.finished("full")] == [1e-4, 3e-4]
    assert {trial.learning_rate for trial in result.finished("teacher")} == {1e-3}
