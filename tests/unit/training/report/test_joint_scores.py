from collections.abc import Callable
from pathlib import Path

import pytest

from training.baselines.joint_settings import FILE, HOME, JointSettings, TaskSettings
from training.errors import TrainingError
from training.hyper_parameters import TrainingPrecision
from training.recorded_settings import record_settings
from training.report.collected_results import collect_results
from training.search.result import SearchResult, Trial


@pytest.fixture
def folder(
    tmp_path: Path,
    make_result: Callable[..., SearchResult],
    make_trial: Callable[..., Trial],
    write_all: Callable[..., Path],
) -> Path:
    """Searches of two tasks, and a joint training of the same rows that scored cola by another metric."""
    trials = [make_trial("teacher", 2, 70.0), make_trial("student", 1, 69.0)]
    searches = [make_result(task, trials, 0) for task in ("cola", "mrpc")]
    searches[0].metric = "matthews"
    write_all(tmp_path, searches, joint=True)
    of_task = {
        one.task: TaskSettings(kind=one.kind, metric="accuracy", data_sha256="0", train_rows=2490, dev_rows=277)
        for one in searches
    }
    settings = JointSettings(
        tasks=of_task,
        encoder="minilm",
        encoder_fingerprint="ff",
        max_length=24,
        batch_size=8,
        first_epoch=1,
        epochs=1,
        learning_rate=1e-4,
        head_learning_rate=1e-3,
        precision=TrainingPrecision.FP32,
        seed=0,
    )
    (tmp_path / HOME).mkdir()
    record_settings(tmp_path / HOME / FILE, settings)
    return tmp_path


def test_scores_of_another_metric_are_left_out_and_said(folder: Path) -> None:
    found = collect_results([folder])
    assert found.joint is not None
    assert found.joint.full.keys() == found.joint.leave_one_out.keys() == {"mrpc"}
    (sentence,) = found.left_out
    assert f"{folder}/joint.json: the scores of cola cannot be compared with its search" in sentence
    assert "(metric accuracy here, matthews there)" in sentence


@pytest.mark.parametrize("changed", [{"train_rows": 1000}, {"dev_rows": 100}, {"data_sha256": "other"}])
def test_scores_of_other_rows_are_left_out_too(folder: Path, changed: dict[str, object]) -> None:
    path = folder / HOME / FILE
    settings = JointSettings.model_validate_json(path.read_bytes())
    of_mrpc = settings.tasks["mrpc"].model_copy(update=changed)
    record_settings(path, settings.model_copy(update={"tasks": {"mrpc": of_mrpc}}))
    found = collect_results([folder])
    assert found.joint is not None
    assert found.joint.full.keys() == {"cola"}


def test_damaged_settings_are_named(folder: Path) -> None:
    (folder / HOME / FILE).write_text("{")
    with pytest.raises(TrainingError, match=r"settings\.json is damaged .*: train the joint model again"):
        collect_results([folder])
