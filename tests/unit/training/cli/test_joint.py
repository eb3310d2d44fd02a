import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import training.baselines.joint
from training.baselines.joint_result import JointResult, read_joint_result
from training.baselines.joint_settings import JointSettings
from training.cli import app
from training.data import load_task
from training.errors import TrainingError
from training.kinds import Kind
from training.prepared_task import PreparedTask


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["joint", *(str(argument) for argument in arguments)])


def error_of(result: Result) -> str:
    """The one sentence that `espalier` prints."""
    assert result.exit_code == 1
    assert isinstance(result.exception, TrainingError), result.exception
    return str(result.exception)


def quick(encoder_folder: Path) -> list[object]:
    return ["--encoder", encoder_folder, "--epochs", "1", "--batch-size", "8", "--max-length", "24"]


def test_joint_writes_the_scores_and_a_second_call_trains_nothing(
    task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path
) -> None:
    folders = [task_folders[Kind.TAGGING], task_folders[Kind.CLASSIFICATION]]
    result = invoke(*folders, "--output", tmp_path, *quick(encoder_folder), "--learning-rate", "1e-3")
    assert result.exit_code == 0, result.output
    found = read_joint_result(tmp_path)
    assert found is not None
    assert found.full.keys() == found.leave_one_out.keys() == {"classification", "tagging"}
    assert (found.encoder, found.encoder_layers) == (str(encoder_folder), 4)
    assert "joint training of 2 tasks (1 of 3)" in result.stdout
    full, left_out = found.full["tagging"], found.leave_one_out["tagging"]
    summary = f"tagging: span_f1 {full:.2f}, left out {left_out:.2f}\n"
    assert summary in result.stdout

    again = invoke(*reversed(folders), "--output", tmp_path, *quick(encoder_folder), "--learning-rate", "1e-3")
    assert again.exit_code == 0, again.output
    assert "joint training" not in again.stdout
    assert summary in again.stdout
    assert read_joint_result(tmp_path) == found


class Asked(Exception):  # noqa: N818
    """Raised instead of training."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The arguments with which the verb starts the training, which is not run."""
    found: dict[str, object] = {}

    def stop(
        folder: Path, tasks: Sequence[PreparedTask], settings: JointSettings, left_out: Sequence[str], report: object
    ) -> JointResult:
        found.update(folder=folder, tasks=tasks, settings=settings, left_out=list(left_out), report=report)
        raise Asked

    monkeypatch.setattr(training.baselines.joint, "train_joint_baseline", stop)
    return found


def test_options_reach_the_training_and_rows_are_those_that_search_samples(
    task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path, asked: dict[str, object]
) -> None:
    folders = [task_folders[Kind.CLASSIFICATION], task_folders[Kind.PAIR_REGRESSION]]
    options = ["--train-rows", 10, "--dev-rows", 7, "--seed", 3, "--learning-rate", "3e-5", "--head-learning-rate"]
    options += ["5e-3", "--precision", "fp32", "--epochs", "2-4", "--batch-size", 6, "--max-length", 20]
    result = invoke(*folders, "--output", tmp_path, "--encoder", encoder_folder, *options)
    assert isinstance(result.exception, Asked), result.output
    tasks, settings = asked["tasks"], asked["settings"]
    assert isinstance(tasks, list)
    assert isinstance(settings, JointSettings)
    for task, folder in zip(tasks, folders, strict=True):
        sampled = load_task(str(folder), train_rows=10, dev_rows=7)  # as the verb search does for any seed
        assert (task.data.train, task.data.dev) == (sampled.train, sampled.dev)
        assert settings.tasks[task.name].train_rows == 10
        assert settings.tasks[task.name].dev_rows == 7
    hyper = settings.hyper
    assert (hyper.learning_rate, settings.head_hyper.learning_rate, hyper.seed) == (3e-5, 5e-3, 3)
    assert (hyper.first_epoch, hyper.epochs, hyper.batch_size, hyper.max_length) == (2, 4, 6, 20)
    assert hyper.precision == "fp32"
    assert asked["folder"] == tmp_path


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ([], ["classification", "tagging"]),
        (["--leave-out", "tagging"], ["tagging"]),
        (["--leave-out", "tagging", "--leave-out", "classification"], ["tagging", "classification"]),
        (["--no-leave-one-out"], []),
    ],
)
def test_tasks_left_out_are_those_asked_for_and_all_if_none_is(
    options: list[str],
    left_out: list[str],
    task_folders: dict[Kind, Path],
    encoder_folder: Path,
    tmp_path: Path,
    asked: dict[str, object],
) -> None:
    folders = [task_folders[Kind.CLASSIFICATION], task_folders[Kind.TAGGING]]
    result = invoke(*folders, "--output", tmp_path, *quick(encoder_folder), *options)
    assert isinstance(result.exception, Asked), result.output
    assert asked["left_out"] == left_out


def test_a_score_of_0_is_printed(
    task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = {"classification": 0.0, "tagging": 0.0}
    done = JointResult(encoder="tiny", encoder_layers=4, full=zeros, leave_one_out={"tagging": 0.0}, seconds=1)
    monkeypatch.setattr(training.baselines.joint, "train_joint_baseline", lambda *_, **__: done)
    folders = [task_folders[Kind.CLASSIFICATION], task_folders[Kind.TAGGING]]
    result = invoke(*folders, "--output", tmp_path, *quick(encoder_folder))
    assert "classification: accuracy 0.00\ntagging: span_f1 0.00, left out 0.00\n" in result.stdout


def test_two_folders_of_one_name_are_refused(task_folders: dict[Kind, Path], tmp_path: Path) -> None:
    first = task_folders[Kind.TAGGING]
    second = Path(shutil.copytree(first, tmp_path / first.name))
    message = error_of(invoke(first, second, "--output", tmp_path / "out"))
    assert message == f"{first} and {second} are both of task tagging: rename one folder."
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("folders", "options", "message"),
    [
        (["rte"], [], "joint training needs at least two tasks"),
        (["rte", "my-task"], [], "my-task: the task name 'my-task' is not an identifier"),
        (["rte", "cola"], ["--leave-out", "mrpc"], "--leave-out mrpc: this is not one of the tasks cola, rte."),
        (["rte", "cola"], ["--leave-out", "rte", "--no-leave-one-out"], "contradict each other"),
        (["rte", "cola"], ["--epochs", "5-3"], "'5-3' runs backwards"),
        (["rte", "cola"], [], "cola is not a folder"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    folders: list[str], options: list[str], message: str, tmp_path: Path
) -> None:
    result = invoke(*(tmp_path / folder for folder in folders), "--output", tmp_path / "out", *options)
    assert message in error_of(result)
    assert not (tmp_path / "out").exists()


def test_a_task_kept_at_a_metric_of_its_own_is_scored_by_it(
    task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path, asked: dict[str, object]
) -> None:
    folder = Path(shutil.copytree(task_folders[Kind.CLASSIFICATION], tmp_path / "mood"))
    (folder / "task.json").write_text('{"metric": "matthews"}')
    invoke(folder, task_folders[Kind.TAGGING], "--output", tmp_path / "out", *quick(encoder_folder))
    settings = asked["settings"]
    assert isinstance(settings, JointSettings)
    assert (settings.tasks["mood"].metric, settings.tasks["tagging"].metric) == ("matthews", "span_f1")
