"""Distillation: a teacher's L layers into a student branch of l (paper, section 3.2)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from training.batches import Batch
from training.checkpoint import Checkpoint
from training.data import TaskData
from training.data.example import UnlabelledExample
from training.encoder import Encoder
from training.errors import TrainingError
from training.evaluator import logits_of
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.loop import AfterEpoch, Fit, go_on
from training.losses import soft_loss
from training.model import Branch, student_of
from training.prepared_task import PreparedTask
from training.stored_states import Cache, states_stored_in
from training.tokenization import NOT_SEEN
from training.trainer import checkpoint_of, train_branch
from training.trunk_fit import check_trunk

# Batch -> the teacher's logits that have a target, as training_logits gives the student's
TeacherLogits = Callable[[Batch], torch.Tensor]


def distill(
    teacher: Checkpoint,
    data: TaskData,
    encoder: Encoder,
    layers: int,
    hyper: HyperParameters,
    cache: Cache | None = None,
) -> Checkpoint:
    """Trains a student of `layers` layers at the teacher's tap, started from its lowest fine-tuned layers.

    cache: keeps the frozen layers' outputs, so that they are computed once and not in every epoch.
    Raises TrainingError if `layers` is not below the teacher's, or if data or encoder are not those of its task.
    """
    record = teacher.record
    if record.layers == 1:
        raise TrainingError(f"the checkpoint of {record.task} has one layer, nothing to distil: give a deeper teacher.")
    if not 1 <= layers < record.layers:
        raise TrainingError(f"l must be 1..{record.layers - 1} for a teacher of {record.layers} layers, not {layers}.")
    own, known = set(data.labels), set(record.labels)
    may_have_more = record.training.original is not None  # a model may answer more than the data has
    if data.kind is record.kind and (own == known or (may_have_more and own < known)):
        data = replace(data, labels=tuple(record.labels))  # in the order of the teacher's outputs
    if (data.kind, list(data.labels)) != (record.kind, record.labels):
        differing = sorted(set(data.labels) ^ set(record.labels))[:3]
        raise TrainingError(
            f"the teacher of {record.task} answers {len(record.labels)} labels of kind {record.kind}, the data "
            f"{data.source} has {len(data.labels)} of kind {data.kind} (only one of them has {differing}): distil "
            "with the data the teacher had."
        )
    check_trunk(teacher, encoder)
    task = PreparedTask(data, record.task, encoder, hyper.max_length, record.metric)
    with states_stored_in(cache, task, record.tap, passes=1 + hyper.epochs):  # the teacher's pass is one more
        logits = TeacherLogitsOnTrain(task, all_logits(task, teacher.branch, record.tap))
        torch.manual_seed(hyper.seed)
        student = student_of(teacher.branch, encoder, layers)
        result = distill_branch(task, student, record.tap, logits, hyper)
    return checkpoint_of(task, student, result, hyper, teacher=record)


def distill_branch(
    task: PreparedTask,
    student: Branch,
    tap: int,
    teacher_logits: TeacherLogits,
    hyper: HyperParameters,
    after_epoch: AfterEpoch = go_on,
) -> Fit:
    """Trains `student` in place. The loss is T^2 x soft + hard; soft_loss brings the T^2.

    What the teacher did not read (NaN) has no part in the soft loss, and rows without a label none in the hard one.
    """
    hard = task.hard_loss(hyper)
    is_labelled = torch.tensor([not isinstance(one, UnlabelledExample) for one in task.examples["train"]])

    def loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        taught = teacher_logits(batch)
        read = taught.isfinite() if taught.dim() == 1 else taught.isfinite().all(dim=-1)
        labelled = is_labelled.to(batch.rows.device)[batch.rows]
        if task.kind is Kind.TAGGING:
            labelled = labelled[batch.word_rows]
        total = logits.sum() * 0  # a batch may have neither
        if read.any():
            total = total + _share(read) * soft_loss(logits[read], taught[read], task.kind, hyper.temperature)
        if labelled.any():
            chosen = replace(batch, targets=batch.targets[labelled])
            total = total + _share(labelled) * hard(logits[labelled], chosen)
        return total

    return train_branch(task, student, tap, loss, hyper, after_epoch)


def _share(mask: torch.Tensor) -> float:
    """So that each row of a batch counts the same, whatever is missing in the others."""
    return float(mask.float().mean())


def all_logits(task: PreparedTask, teacher: Branch, tap: int) -> np.ndarray:
    """The teacher's logits on every training row, computed once: they are the same in every epoch.

    float32 [rows, C]; for tagging [words with a token, C], row after row.
    """
    tokens = task.tokens["train"]
    rows = logits_of(task.model("train", teacher, tap), tokens, task.kind)
    if task.kind is not Kind.TAGGING:
        return np.stack(rows)
    return np.concatenate([row[_seen(one.word_positions)] for row, one in zip(rows, tokens, strict=True)])


class TeacherLogitsOnTrain:
    """TeacherLogits that looks up what all_logits computed."""

    def __init__(self, task: PreparedTask, logits: np.ndarray) -> None:
        self.kind, self.device, self.logits = task.kind, task.device, logits
        words = [len(_seen(one.word_positions)) for one in task.tokens["train"]]
        self.ends = np.cumsum(words)
        self.starts = self.ends - words

    def __call__(self, batch: Batch) -> torch.Tensor:
        rows = batch.rows.tolist()
        if self.kind is Kind.TAGGING:
            chosen = np.concatenate([self.logits[self.starts[row] : self.ends[row]] for row in rows])
        else:
            chosen = self.logits[rows]
        logits = torch.from_numpy(chosen).to(self.device)
        return logits.squeeze(-1) if self.kind is Kind.PAIR_REGRESSION else logits


def _seen(word_positions: list[int]) -> list[int]:
    return [position for position in word_positions if position != NOT_SEEN]
