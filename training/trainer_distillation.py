"""Distillation: a teacher's L layers into a student branch of l (paper, section 3.2)."""

import torch

from training.batches import Batch
from training.checkpoint import Checkpoint
from training.data import TaskData
from training.encoder import Encoder
from training.errors import TrainingError
from training.hyper_parameters import HyperParameters
from training.losses import hard_loss, soft_loss, training_logits
from training.model import student_of
from training.trainer import train_branch
from training.trunk_fit import check_trunk


def distill(teacher: Checkpoint, data: TaskData, encoder: Encoder, layers: int, hyper: HyperParameters) -> Checkpoint:
    """Trains a student of `layers` layers at the teacher's tap, started from its lowest fine-tuned layers.

    The loss is T^2 x soft + hard; soft_loss brings the T^2. Raises TrainingError if `layers` is not below the
    teacher's, or if data or encoder are not those of the teacher's task.
    """
    record = teacher.record
    if record.layers == 1:
        raise TrainingError(f"the checkpoint of {record.task} has one layer, nothing to distil: give a deeper teacher.")
    if not 1 <= layers < record.layers:
        raise TrainingError(f"l must be 1..{record.layers - 1} for a teacher of {record.layers} layers, not {layers}.")
    if (data.kind, list(data.labels)) != (record.kind, record.labels):
        differing = sorted(set(data.labels) ^ set(record.labels))[:3]
        raise TrainingError(
            f"the teacher of {record.task} answers {len(record.labels)} labels of kind {record.kind}, the data "
            f"{data.source} has {len(data.labels)} of kind {data.kind} (only one of them has {differing}): distil "
            "with the data the teacher had."
        )
    check_trunk(teacher, encoder)
    torch.manual_seed(hyper.seed)
    student = student_of(teacher.branch, encoder, layers)
    teacher_branch = teacher.branch

    def loss(logits: torch.Tensor, batch: Batch, hidden: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            teacher_logits = teacher_branch.to(hidden.device)(hidden, batch.attention_mask)
        soft = soft_loss(logits, training_logits(teacher_logits, batch, data.kind), data.kind, hyper.temperature)
        return soft + hard_loss(logits, batch.targets, data.kind)

    return train_branch(student, record.tap, data, record.task, encoder, hyper, loss, record.metric, teacher=record)
