from pathlib import Path
from typing import Any

import pytest

from training.baselines.joint_settings import JointSettings, TaskSettings
from training.errors import TrainingError
from training.hyper_parameters import TrainingPrecision
from training.kinds import Kind
from training.prepared_task import PreparedTask
from training.recorded_settings import check_recorded_settings, record_settings


def of_task(**changed: Any) -> TaskSettings:
    fields: dict[str, Any] = {
        "kind": Kind.CLASSIFICATION,
        "metric": "accuracy",
        "data_sha256": "aa",
        "train_rows": 8,
        "dev_rows": 4,
    }
    return TaskSettings(**fields | changed)


def settings(**changed: Any) -> JointSettings:
    fields: dict[str, Any] = {
        "tasks": {"cola": of_task(), "rte": of_task()},
        "encoder": "minilm",
        "encoder_fingerprint": "ff",
        "max_length": 24,
        "batch_size": 8,
        "first_epoch": 2,
        "epochs": 3,
        "learning_rate": 2e-5,
        "head_learning_rate": 1e-3,
        "precision": TrainingPrecision.FP32,
        "seed": 5,
    }
    return JointSettings(**fields | changed)


def test_joint_model_and_heads_train_alike_but_for_the_learning_rate() -> None:
    joint, head = settings().hyper, settings().head_hyper
    assert (joint.learning_rate, head.learning_rate) == (2e-5, 1e-3)
    for one in (joint, head):
        assert (one.batch_size, one.max_length, one.precision, one.seed) == (8, 24, TrainingPrecision.FP32, 5)
        assert (one.first_epoch, one.epochs) == (2, 3)


def test_a_tasks_settings_are_those_of_its_sampled_data(prepared: list[PreparedTask]) -> None:
    found = TaskSettings.of(prepared[0])
    data = prepared[0].data
    assert found == of_task(data_sha256=data.sha256, train_rows=24, dev_rows=24)


def test_equal_settings_go_together_in_whatever_order_the_tasks_stand(tmp_path: Path) -> None:
    record_settings(tmp_path / "settings.json", settings())
    check_recorded_settings(
        tmp_path / "settings.json", settings(tasks={"rte": of_task(), "cola": of_task()}), "a joint training"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"seed": 6}, "with seed 5, not 6,"),
        ({"head_learning_rate": 1e-2}, "with head learning rate 0.001, not 0.01,"),
        ({"tasks": {"cola": of_task()}}, "with tasks cola, rte, not cola,"),
        ({"tasks": {"cola": of_task(), "mrpc": of_task()}}, "with tasks cola, rte, not cola, mrpc,"),
        ({"tasks": {"cola": of_task(), "rte": of_task(train_rows=9)}}, "with train rows of rte 8, not 9,"),
    ],
)
def test_other_settings_are_refused_and_the_difference_is_named(
    changed: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    record_settings(tmp_path / "settings.json", settings())
    with pytest.raises(TrainingError, match=difference) as error:
        check_recorded_settings(tmp_path / "settings.json", settings(**changed), "a joint training")
    assert str(error.value).startswith(f"{tmp_path} holds a joint training with ")
    assert f"use the settings in {tmp_path}/settings.json" in str(error.value)
    assert "choose another --output" in str(error.value)


@pytest.mark.parametrize("content", [None, "{", '{"tasks": {}}', "\x00"])
def test_scores_without_readable_settings_are_not_continued(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "settings.json").write_text(content)
    with pytest.raises(TrainingError, match=r"settings\.json is missing or damaged: choose another --output"):
        check_recorded_settings(tmp_path / "settings.json", settings(), "a joint training")
