from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

import training.baselines.joint
from training.baselines.joint import train_joint_baseline
from training.baselines.joint_result import JointResult, read_joint_result
from training.baselines.joint_settings import JointSettings, TaskSettings
from training.baselines.joint_training import Keep
from training.checkpoint_scores import CheckpointScorer
from training.encoder import Encoder
from training.errors import NotFiniteError, TrainingError
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.prepared_task import PreparedTask

NAMES = ["classification", "pair_classification", "pair_regression", "tagging", "multi_label"]
ALL, OTHERS = frozenset(NAMES), {name: frozenset(NAMES) - {name} for name in NAMES}


def settings_for(tasks: Sequence[PreparedTask], batch_size: int = 8) -> JointSettings:
    return JointSettings(
        tasks={task.name: TaskSettings.of(task) for task in tasks},
        encoder="tiny",
        encoder_fingerprint="ff",
        max_length=24,
        batch_size=batch_size,
        first_epoch=1,
        epochs=1,
        learning_rate=2e-3,
        head_learning_rate=1e-2,
        precision=TrainingPrecision.FP32,
        seed=0,
    )


@dataclass
class Trainings:
    """Stands in for the two trainings: says what was trained on what, and gives scores that tell them apart."""

    joint: list[frozenset[str]] = field(default_factory=list)
    heads: list[tuple[str, frozenset[str], float]] = field(default_factory=list)
    ends: dict[frozenset[str], BaseException] = field(default_factory=dict)
    joint_rates: set[float] = field(default_factory=set)

    def train_jointly(
        self, tasks: Sequence[PreparedTask], hyper: HyperParameters, title: str, keep: object = None
    ) -> tuple[frozenset[str], dict[str, float]]:
        assert title
        assert (keep is not None) == (len(tasks) == len(NAMES))  # a model without a task is kept with the task's head
        names = frozenset(task.name for task in tasks)
        if names in self.ends:
            raise self.ends[names]
        self.joint.append(names)
        self.joint_rates.add(hyper.learning_rate)
        return names, {name: 70.0 + NAMES.index(name) for name in names}

    def train_head(
        self, task: PreparedTask, trained_on: frozenset[str], hyper: HyperParameters, keep: object
    ) -> SimpleNamespace:
        assert keep
        self.heads.append((task.name, trained_on, hyper.learning_rate))
        return SimpleNamespace(scores={task.metric: 50.0 + NAMES.index(task.name), "another": 1.0})


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    record = Trainings()
    monkeypatch.setattr(training.baselines.joint, "train_jointly", record.train_jointly)
    monkeypatch.setattr(training.baselines.joint, "train_head", record.train_head)
    return record


def run(
    folder: Path, tasks: list[PreparedTask], left_out: list[str], said: list[str] | None = None, batch_size: int = 8
) -> JointResult:
    said = [] if said is None else said
    return train_joint_baseline(folder, tasks, settings_for(tasks, batch_size), left_out, said.append)


def test_each_left_out_task_gets_a_head_on_the_model_that_was_trained_on_all_the_others(
    prepared: list[PreparedTask], trainings: Trainings, tmp_path: Path
) -> None:
    result = run(tmp_path / "new" / "results", prepared, NAMES)
    assert trainings.joint == [ALL, *(OTHERS[name] for name in NAMES)]
    assert trainings.heads == [(name, OTHERS[name], 1e-2) for name in NAMES]
    assert trainings.joint_rates == {2e-3}
    assert result.full == {name: 70.0 + number for number, name in enumerate(NAMES)}
    assert result.leave_one_out == {name: 50.0 + number for number, name in enumerate(NAMES)}
    assert (result.encoder, result.encoder_layers) == ("tiny", 4)
    assert result.seconds > 0
    assert read_joint_result(tmp_path / "new" / "results") == result


def test_the_frozen_model_of_a_real_run_is_the_joint_one(
    prepared: list[PreparedTask], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Encoder] = []
    train_head = training.baselines.joint.train_head

    def reading(task: PreparedTask, trained: Encoder, hyper: HyperParameters, keep: Keep) -> object:
        read.append(trained)
        return train_head(task, trained, hyper, keep)

    monkeypatch.setattr(training.baselines.joint, "train_head", reading)
    result = run(tmp_path, prepared[:2], ["classification"])
    assert result.full.keys() == {"classification", "pair_classification"}
    assert result.leave_one_out.keys() == {"classification"}
    # Each model is kept, and scores what it scored.
    for kind, tasks in (("full", ["classification", "pair_classification"]), ("leave_one_out", ["classification"])):
        for task in tasks:
            dev = Path(prepared[NAMES.index(task)].data.source) / "dev.jsonl"
            scored = CheckpointScorer().score(tmp_path / ".joint" / kind / task, dev)
            assert scored.score == getattr(result, f"{kind}_figures")[task].score
            assert scored.score == pytest.approx(getattr(result, kind)[task], abs=5)  # a head reads float16
            assert scored.draws == getattr(result, f"{kind}_figures")[task].draws
    (joint,) = read
    pretrained, trained = encoder.network.state_dict(), joint.network.state_dict()
    layers = [name for name in pretrained if name.startswith("layers") and name.endswith("weight")]
    assert not any(pretrained[name].equal(trained[name]) for name in layers)


def test_a_run_that_was_killed_keeps_what_was_finished_and_the_next_does_only_the_rest(
    prepared: list[PreparedTask], trainings: Trainings, tmp_path: Path
) -> None:
    trainings.ends = {OTHERS["tagging"]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared, ["classification", "tagging", "multi_label"])
    kept = read_joint_result(tmp_path)
    assert kept is not None
    assert (kept.full.keys(), kept.leave_one_out.keys()) == (set(NAMES), {"classification"})

    trainings.ends, trainings.joint = {}, []
    result = run(tmp_path, prepared, ["classification", "tagging", "multi_label"])
    assert trainings.joint == [OTHERS["tagging"], OTHERS["multi_label"]]
    assert result.leave_one_out.keys() == {"classification", "tagging", "multi_label"}
    assert result.seconds > kept.seconds

    trainings.joint = []
    assert run(tmp_path, prepared, ["classification"]) == result
    assert trainings.joint == []


def test_a_loss_that_is_no_number_ends_its_training_and_not_the_others(
    prepared: list[PreparedTask], trainings: Trainings, tmp_path: Path
) -> None:
    trainings.ends = {ALL: NotFiniteError("the loss is nan; try a lower learning rate.")}
    said: list[str] = []
    with pytest.raises(
        TrainingError, match="1 of 3 joint trainings failed; the last one: the loss is nan; try a lower"
    ):
        run(tmp_path, prepared, ["tagging", "multi_label"], said)
    assert said[0] == "joint training of 5 tasks (1 of 3) failed: the loss is nan; try a lower learning rate."
    assert said[1].startswith("joint training without tagging (2 of 3): tagging 53.00; ")
    kept = read_joint_result(tmp_path)
    assert kept is not None
    assert (kept.full, kept.leave_one_out) == ({}, {"tagging": 53.0, "multi_label": 54.0})


def test_other_settings_are_refused_once_a_training_has_finished_and_not_before(
    prepared: list[PreparedTask], trainings: Trainings, tmp_path: Path
) -> None:
    trainings.ends = {ALL: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared, [], batch_size=4)
    trainings.ends = {}
    run(tmp_path, prepared, [], batch_size=8)
    with pytest.raises(TrainingError, match=r"with batch size 8, not 16, .* choose another --output"):
        run(tmp_path, prepared, [], batch_size=16)


def test_a_second_process_on_one_folder_is_told_so(
    prepared: list[PreparedTask], trainings: Trainings, tmp_path: Path
) -> None:
    (tmp_path / ".joint").mkdir()
    with (
        FileLock(tmp_path / ".joint" / "lock", is_singleton=False),
        pytest.raises(TrainingError, match=f"another process trains the joint model of {tmp_path}: wait"),
    ):
        run(tmp_path, prepared, [])
    assert trainings.joint == []
    run(tmp_path, prepared, [])


def test_what_lists_a_folder_of_results_sees_joint_json_alone(
    prepared: list[PreparedTask], trainings: Trainings, tmp_path: Path
) -> None:
    run(tmp_path, prepared, [])
    assert trainings.joint == [ALL]
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["joint.json"]
