import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import training.trainer_distillation
from training.batches import make_batch, target_of
from training.checkpoint import Checkpoint
from training.data import Example, TaskData
from training.encoder import Encoder, load_encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.losses import training_logits
from training.model import Branch, Trunk
from training.prepared_task import Loss, PreparedTask
from training.tokenization import NOT_SEEN, tokenize
from training.trainer import fine_tune
from training.trainer_distillation import TeacherLogitsOnTrain, all_logits, distill
from training.trunk_fit import check_trunk

Captured = dict[str, Any]


class _StopError(Exception):
    """Raised in place of training, when a test wants only what goes into it."""


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Captured:
    """What `distill` hands to train_branch, which is not run."""
    arguments: Captured = {}

    def train_branch(task: PreparedTask, branch: Branch, tap: int, loss: Loss, *rest: Any) -> None:  # noqa: ARG001
        arguments.update(branch=branch, tap=tap, loss=loss)
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
    assert captured["loss"](student_logits, batch).item() == pytest.approx((4 * soft + hard) / 3, rel=1e-4)


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
        loss = captured["loss"](torch.tensor([2.0, 0.0]), batch)
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
        other.network.layers[0].after_attention.outer.weight[0, 0] += 1
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
        other.network.layers[1].after_attention.outer.weight[0, 0] += 1
    check_trunk(teacher, other)
    check_trunk(teacher, load_encoder(str(shallow_encoder_folder)))


def test_encoder_with_fewer_layers_than_the_tap_is_refused(
    teachers: dict[Kind, Checkpoint], shallow_encoder_folder: Path
) -> None:
    teacher = teachers[Kind.CLASSIFICATION]
    deep = teacher.model_copy(update={"record": teacher.record.model_copy(update={"tap": 3})})
    with pytest.raises(TrainingError, match=r"at tap 3; the encoder .* has none \(it has fewer layers\) there"):
        check_trunk(deep, load_encoder(str(shallow_encoder_folder)))


# Rows of 1 to 5 words, with one that no token is made of and two that are cut off at 9 tokens.
TAGGED = [
    Example("jazz", ("B-genre",), words=((0, 4),)),
    Example("\u200b", ("O",), words=((0, 1),)),
    Example("play \u200b jazz", ("O", "O", "B-genre"), words=((0, 4), (5, 6), (7, 11))),
    Example("St.Ives in paris", ("B-city", "O", "B-city"), words=((0, 7), (8, 10), (11, 16))),
    Example(
        "play jazz in Porto today",
        ("O", "B-genre", "O", "B-city", "O"),
        words=((0, 4), (5, 9), (10, 12), (13, 18), (19, 24)),
    ),
    Example("rock in rome", ("B-genre", "O", "B-city"), words=((0, 4), (5, 7), (8, 12))),
]


@pytest.fixture(params=list(Kind))
def task(request: pytest.FixtureRequest, tasks: dict[Kind, TaskData], encoder: Encoder) -> PreparedTask:
    """One of each kind; of tagging with words that are not seen."""
    data = tasks[request.param]
    if request.param is Kind.TAGGING:
        data = replace(data, train=TAGGED)
    return PreparedTask(data, request.param.value, encoder, max_length=9)


def test_logits_looked_up_are_the_teachers_own_in_any_order_of_rows(
    task: PreparedTask, teachers: dict[Kind, Checkpoint]
) -> None:
    teacher = teachers[task.kind]
    logits = all_logits(task, teacher.branch, teacher.record.tap)
    looked_up = TeacherLogitsOnTrain(task, logits)
    model = task.model("train", teacher.branch, teacher.record.tap)
    rows = len(task.targets)
    for order in ([0], list(range(rows)), list(range(rows))[::-1], [3, 1, 4], [2, 2, 0]):
        batch = make_batch(task.tokens["train"], task.targets, task.kind, order)
        with torch.no_grad():
            expected = training_logits(model(batch), batch, task.kind)
        torch.testing.assert_close(looked_up(batch), expected, rtol=0, atol=1e-5)
    assert np.ptp(logits, axis=0).min() > 1e-3  # rows that are mixed up would be seen


def test_a_teacher_has_one_row_of_logits_per_thing_to_learn(
    task: PreparedTask, teachers: dict[Kind, Checkpoint]
) -> None:
    logits = all_logits(task, teachers[task.kind].branch, 1)
    things = len(task.targets)
    if task.kind is Kind.TAGGING:
        positions = [position for one in task.tokens["train"] for position in one.word_positions]
        things = sum(position != NOT_SEEN for position in positions)
        assert (len(task.targets), len(positions), things) == (5, 15, 11)
    assert logits.shape == (things, task.outputs)
    assert logits.dtype == np.float32


def test_logits_are_read_from_a_mapped_file_as_from_memory(
    task: PreparedTask, teachers: dict[Kind, Checkpoint], tmp_path: Path
) -> None:
    logits = all_logits(task, teachers[task.kind].branch, 1)
    np.save(tmp_path / "logits.npy", logits)
    mapped = TeacherLogitsOnTrain(task, np.load(tmp_path / "logits.npy", mmap_mode="r"))
    batch = make_batch(task.tokens["train"], task.targets, task.kind, [4, 0, 2])
    read = mapped(batch)
    assert torch.equal(read, TeacherLogitsOnTrain(task, logits)(batch))
    read += 1  # what is done to a batch's logits does not reach the others'
    assert torch.equal(mapped(batch) + 1, read)


def test_asking_a_teacher_leaves_it_as_it_was(task: PreparedTask, teachers: dict[Kind, Checkpoint]) -> None:
    branch = teachers[task.kind].branch
    first = all_logits(task, branch, 1)
    assert not branch.training
    np.testing.assert_array_equal(all_logits(task, branch, 1), first)
