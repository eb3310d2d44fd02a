import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import training.trainer_distillation
from training.batches import make_batch, target_of
from training.checkpoint import Checkpoint
from training.data import TaskData
from training.encoder import Encoder, load_encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.model import Trunk
from training.tokenization import tokenize
from training.trainer import fine_tune
from training.trainer_distillation import distill
from training.trunk_fit import check_trunk

Captured = dict[str, Any]


class _StopError(Exception):
    """Raised in place of training, when a test wants only what goes into it."""


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Captured:
    """What `distill` hands to train_branch, which is not run."""
    arguments: Captured = {}

    def train_branch(branch: object, tap: int, *rest: Any, **named: Any) -> None:
        arguments.update(branch=branch, tap=tap, loss=rest[4], **named)
        raise _StopError

    monkeypatch.setattr(training.trainer_distillation, "train_branch", train_branch)
    return arguments


def start(teacher: Checkpoint, data: TaskData, encoder: Encoder, hyper: HyperParameters) -> None:
    with pytest.raises(_StopError):
        distill(teacher, data, encoder, 2, hyper)


@pytest.mark.parametrize("kind", list(Kind))
def test_student_starts_as_exactly_the_teachers_lowest_layers_and_head_at_its_tap(
    captured: Captured,
    teachers: dict[Kind, Checkpoint],
    tasks: dict[Kind, TaskData],
    encoder: Encoder,
    hyper: HyperParameters,
    kind: Kind,
) -> None:
    start(teachers[kind], tasks[kind], encoder, hyper)
    teacher = teachers[kind].branch.state_dict()
    student = captured["branch"].state_dict()
    assert {name for name in teacher if not name.startswith("layers.2.")} == set(student)
    assert all(torch.equal(tensor, teacher[name]) for name, tensor in student.items())
    assert captured["tap"] == teachers[kind].record.tap == 1
    assert captured["teacher"] == teachers[kind].record


@torch.no_grad()
def test_loss_is_4_times_the_soft_loss_at_temperature_2_plus_the_hard_loss(
    captured: Captured,
    teachers: dict[Kind, Checkpoint],
    tasks: dict[Kind, TaskData],
    encoder: Encoder,
    hyper: HyperParameters,
) -> None:
    kind, data = Kind.CLASSIFICATION, tasks[Kind.CLASSIFICATION]
    start(teachers[kind], data, encoder, hyper)
    tokens = tokenize(encoder.tokenizer, data.train[:3], 24)
    batch = make_batch(tokens, [target_of(one, kind, data.labels) for one in data.train[:3]], kind)
    hidden = Trunk(encoder, [1])(batch.input_ids, batch.attention_mask, batch.token_type_ids)[-1]
    teacher_logits = teachers[kind].branch(hidden, batch.attention_mask)
    student_logits = torch.tensor([[1.0, -1.0], [0.0, 3.0], [0.5, 0.5]])
    p, q = (torch.softmax(one / 2, dim=-1).tolist() for one in (teacher_logits, student_logits))
    soft = sum(
        a * math.log(a / b) for p_row, q_row in zip(p, q, strict=True) for a, b in zip(p_row, q_row, strict=True)
    )
    probabilities = torch.softmax(student_logits, dim=-1).tolist()
    hard = -sum(math.log(row[target]) for row, target in zip(probabilities, batch.targets.tolist(), strict=True))
    assert captured["loss"](student_logits, batch, hidden).item() == pytest.approx((4 * soft + hard) / 3, rel=1e-4)


def test_regression_loss_has_no_temperature(
    captured: Captured,
    teachers: dict[Kind, Checkpoint],
    tasks: dict[Kind, TaskData],
    encoder: Encoder,
    hyper: HyperParameters,
) -> None:
    kind, data = Kind.PAIR_REGRESSION, tasks[Kind.PAIR_REGRESSION]
    start(teachers[kind], data, encoder, hyper)
    batch = make_batch(tokenize(encoder.tokenizer, data.train[:2], 24), [1.0, 3.0], kind)
    with torch.no_grad():
        hidden = Trunk(encoder, [1])(batch.input_ids, batch.attention_mask, batch.token_type_ids)[-1]
        teacher_values = teachers[kind].branch(hidden, batch.attention_mask)[:, 0].tolist()
        loss = captured["loss"](torch.tensor([2.0, 0.0]), batch, hidden)
    soft = ((2 - teacher_values[0]) ** 2 + teacher_values[1] ** 2) / 2
    assert loss.item() == pytest.approx(soft + (1 + 9) / 2, rel=1e-5)


def test_student_is_recorded_with_its_teacher_and_leaves_it_as_it_was(
    teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    teacher = teachers[Kind.TAGGING]
    before = {name: tensor.clone() for name, tensor in teacher.branch.state_dict().items()}
    student = distill(teacher, tasks[Kind.TAGGING], encoder, 1, replace(hyper, epochs=1))
    record = student.record
    assert (record.layers, len(student.branch.layers), record.tap) == (1, 1, 1)
    assert (record.task, record.labels, record.metric) == (
        teacher.record.task,
        teacher.record.labels,
        teacher.record.metric,
    )
    assert record.trunk_fingerprint == teacher.record.trunk_fingerprint
    assert record.training.role == "student"
    assert record.training.teacher == teacher.record.model_dump(mode="json")
    after = teacher.branch.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert not teacher.branch.training
    assert not torch.equal(student.branch.state_dict()["classifier.weight"], before["classifier.weight"])


def test_student_learns_from_its_teacher(tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters) -> None:
    data = tasks[Kind.CLASSIFICATION]
    teacher = fine_tune(data, "task", encoder, 3, replace(hyper, epochs=30))
    assert teacher.record.scores["accuracy"] > 95
    student = distill(teacher, data, encoder, 1, replace(hyper, epochs=40))
    assert student.record.scores["accuracy"] > 95


@pytest.mark.parametrize("layers", [0, 3, 4])
def test_student_needs_fewer_layers_than_the_teacher(
    teachers: dict[Kind, Checkpoint],
    tasks: dict[Kind, TaskData],
    encoder: Encoder,
    hyper: HyperParameters,
    layers: int,
) -> None:
    with pytest.raises(TrainingError, match=rf"l must be 1\.\.2 for a teacher of 3 layers, not {layers}"):
        distill(teachers[Kind.CLASSIFICATION], tasks[Kind.CLASSIFICATION], encoder, layers, hyper)


def test_data_with_other_labels_or_of_another_kind_are_refused(
    teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    teacher, data = teachers[Kind.CLASSIFICATION], tasks[Kind.CLASSIFICATION]
    with pytest.raises(TrainingError, match=r"only one of them has \['neg', 'negative'\]"):
        distill(teacher, replace(data, labels=("negative", "pos")), encoder, 1, hyper)
    with pytest.raises(TrainingError, match=r"answers 2 labels of kind classification, the data .* of kind tagging"):
        distill(teacher, tasks[Kind.TAGGING], encoder, 1, hyper)


def test_another_trunk_is_refused_naming_both_fingerprints(
    teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData], encoder_folder: Path, hyper: HyperParameters
) -> None:
    teacher = teachers[Kind.CLASSIFICATION]
    other = load_encoder(str(encoder_folder))
    with torch.no_grad():
        other.bert.encoder.layer[0].output.dense.weight[0, 0] += 1
    with pytest.raises(TrainingError) as error:
        distill(teacher, tasks[Kind.CLASSIFICATION], other, 1, hyper)
    assert teacher.record.trunk_fingerprint in str(error.value)
    assert trunk_fingerprints(other, 1)[1] in str(error.value)


def test_encoder_that_differs_above_the_tap_or_is_shallower_fits(
    teachers: dict[Kind, Checkpoint], encoder_folder: Path, shallow_encoder_folder: Path
) -> None:
    teacher = teachers[Kind.CLASSIFICATION]
    other = load_encoder(str(encoder_folder))
    with torch.no_grad():
        other.bert.encoder.layer[1].output.dense.weight[0, 0] += 1
    check_trunk(teacher, other)
    check_trunk(teacher, load_encoder(str(shallow_encoder_folder)))


def test_encoder_with_fewer_layers_than_the_tap_is_refused(
    teachers: dict[Kind, Checkpoint], shallow_encoder_folder: Path
) -> None:
    teacher = teachers[Kind.CLASSIFICATION]
    deep = teacher.model_copy(update={"record": teacher.record.model_copy(update={"tap": 3})})
    with pytest.raises(TrainingError, match=r"at tap 3; the encoder .* has none \(it has fewer layers\) there"):
        check_trunk(deep, load_encoder(str(shallow_encoder_folder)))
