"""Partial fine-tuning: the top L layers of an encoder on one task, all below frozen (paper, section 3.1)."""

from dataclasses import asdict
from typing import Any, Literal

import torch

from training.branch_record import FORMAT_VERSION, BranchRecord, EncoderRecord, TrainingRecord
from training.checkpoint import Checkpoint
from training.data import TaskData
from training.encoder import Encoder
from training.encoder_depth import no_trunk
from training.fingerprint import trunk_fingerprints
from training.golden import golden_examples
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.loop import AfterEpoch, Fit, fit, go_on
from training.model import Branch, Trunk, new_branch
from training.prepared_task import Loss, PreparedTask
from training.stored_states import Cache, states_stored_in


def fine_tune(
    data: TaskData,
    task: str,
    encoder: Encoder,
    layers: int,
    hyper: HyperParameters,
    metric: str | None = None,
    cache: Cache | None = None,
) -> Checkpoint:
    """Trains a teacher and makes it a checkpoint; see fine_tune_branch.

    cache: keeps the frozen layers' outputs, so that they are computed once and not in every epoch.
    """
    tap = teacher_tap(encoder, layers)
    prepared = PreparedTask(data, task, encoder, hyper.max_length, metric)
    with states_stored_in(cache, prepared, tap, passes=hyper.epochs):
        branch, result = fine_tune_branch(prepared, layers, hyper)
    return checkpoint_of(prepared, branch, result, hyper)


def fine_tune_branch(
    task: PreparedTask, layers: int, hyper: HyperParameters, after_epoch: AfterEpoch = go_on
) -> tuple[Branch, Fit]:
    """Trains a teacher: the encoder's top `layers` layers and a new head, tap = N - layers.

    Raises TrainingError if `layers` leaves no trunk, NotFiniteError if the loss is NaN or infinite.
    """
    tap = teacher_tap(task.encoder, layers)
    torch.manual_seed(hyper.seed)
    branch = new_branch(task.encoder, tap, task.outputs, per_token=task.kind is Kind.TAGGING)
    return branch, train_branch(task, branch, tap, task.hard_loss(hyper), hyper, after_epoch)


def teacher_tap(encoder: Encoder, layers: int) -> int:
    """The number of frozen layers below a teacher of L = `layers`. Raises TrainingError if `layers` leaves none."""
    if not 1 <= layers < encoder.layers:
        raise no_trunk(layers, encoder.layers)
    return encoder.layers - layers


def train_branch(
    task: PreparedTask, branch: Branch, tap: int, loss: Loss, hyper: HyperParameters, after_epoch: AfterEpoch
) -> Fit:
    """Trains `branch` in place on the frozen layers below `tap` and keeps the epoch that is best on dev."""
    model = task.model("train", branch, tap)
    on_dev = task.model("dev", branch, tap)
    return fit(
        model,
        task.losses(model, loss, hyper),
        task.batches(hyper),
        lambda: task.scores(on_dev),
        task.metric,
        hyper,
        f"{task.name} tap {tap} layers {len(branch.layers)}",
        after_epoch,
    )


def checkpoint_of(
    task: PreparedTask,
    branch: Branch,
    result: Fit,
    hyper: HyperParameters,
    teacher: BranchRecord | None = None,
    tap: int | None = None,
    original: dict[str, Any] | None = None,
) -> Checkpoint:
    """A trained branch as a checkpoint, with golden examples by the trunk itself.

    teacher: a student's. tap: of a student at another tap than its teacher's, or without one.
    original: the record of a model that was adopted, in place of the teacher's.
    """
    data, encoder = task.data, task.encoder
    role: Literal["teacher", "student"] = "teacher" if teacher is None and tap is None else "student"
    if tap is None:
        tap = teacher.tap if teacher else encoder.layers - len(branch.layers)
    branch, trunk = branch.cpu().eval(), Trunk(encoder, [tap]).cpu()
    hyper_parameters = asdict(hyper)
    training = TrainingRecord(
        role=role,
        data=data.source,
        data_sha256=data.sha256,
        train_rows=len(data.train),
        dev_rows=len(data.dev),
        seed=hyper_parameters.pop("seed"),
        best_epoch=result.best_epoch,
        hyper_parameters=hyper_parameters,
        teacher=teacher.model_dump(mode="json") if teacher else original,
    )
    record = BranchRecord(
        format_version=FORMAT_VERSION,
        task=task.name,
        kind=data.kind,
        labels=list(data.labels),
        metric=task.metric,
        encoder=EncoderRecord(name=encoder.name, layers=encoder.layers, config=encoder.config),
        tap=tap,
        layers=len(branch.layers),
        max_length=hyper.max_length,
        trunk_fingerprint=trunk_fingerprints(encoder, tap)[tap],
        scores=result.scores,
        training=training,
    )
    golden = golden_examples(trunk, branch, encoder.tokenizer, data.dev, data.kind, hyper.max_length)
    return Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=golden)
