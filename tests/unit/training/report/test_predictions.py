import shutil
from pathlib import Path

import pytest

from training.data import TaskData
from training.kinds import Kind
from training.metrics import score
from training.report.analysis.predicted import Predicted
from training.report.collected_results import CollectedResults, collect_results
from training.report.predictions import predict_all
from training.search.result import read_result, write_result
from training.selection.mixed import mixed


def predict(results: CollectedResults) -> dict[str, Predicted | str]:
    return predict_all(results, mixed(results.options, 1), lambda _: None)


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """One search, to be spoilt."""
    shutil.copytree(trained / "tagging", tmp_path / "tagging")
    return tmp_path / "tagging"


def reason(folder: Path) -> str:
    found = predict(collect_results([folder]))["tagging"]
    assert isinstance(found, str)
    return found


def test_the_answers_of_each_kind_are_those_that_the_search_scored(trained: Path, tasks: dict[Kind, TaskData]) -> None:
    results = collect_results([trained])
    told: list[str] = []
    found = predict_all(results, mixed(results.options, 1), told.append)
    assert len(told) == len(Kind)
    for task in results.tasks:
        predicted = found[task.name]
        assert isinstance(predicted, Predicted)
        assert len(predicted.golds) == len(tasks[task.result.kind].dev)
        scores = score(task.result.kind, task.result.labels, predicted.answers, predicted.golds)
        assert scores == pytest.approx(task.teacher.scores, abs=0.01)


def test_other_data_than_was_searched_is_a_reason(copied: Path) -> None:
    write_result(copied, read_result(copied).model_copy(update={"data_sha256": "other"}))
    assert "has changed since the search" in reason(copied)


def test_data_that_is_gone_is_a_reason(copied: Path) -> None:
    write_result(copied, read_result(copied).model_copy(update={"data": "gone/tagging"}))
    assert "gone/tagging is not a folder" in reason(copied)


def test_a_damaged_checkpoint_is_a_reason_and_the_other_tasks_go_on(copied: Path, trained: Path) -> None:
    (copied / "checkpoints" / "teacher" / "branch.safetensors").write_bytes(b"damaged")
    found = predict(collect_results([copied, trained / "multi_label"]))
    assert "branch.safetensors is damaged" in str(found["tagging"])
    assert isinstance(found["multi_label"], Predicted)


def test_a_branch_without_a_checkpoint_is_a_reason(copied: Path) -> None:
    result = read_result(copied)
    result.trials[0].checkpoint = None
    write_result(copied, result)
    assert "the teacher of 3 layers has no checkpoint" in reason(copied)


def test_an_encoder_that_is_gone_is_a_reason(copied: Path) -> None:
    write_result(copied, read_result(copied).model_copy(update={"encoder": "/gone/encoder"}))
    assert "'/gone/encoder' is not a folder" in reason(copied)


def test_a_branch_of_another_trunk_is_a_reason(copied: Path, shallow_encoder_folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(shallow_encoder_folder, tmp_path / "other")
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace("1e-12", "1e-3"))
    write_result(copied, read_result(copied).model_copy(update={"encoder": str(other)}))
    assert "was trained on a trunk with fingerprint" in reason(copied)
