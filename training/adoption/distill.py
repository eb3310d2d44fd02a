"""A branch of a few layers that learns from an original. It starts from the trunk's encoder."""

import torch

from training.adoption.adopt import Adopted
from training.checkpoint import Checkpoint
from training.encoder import Encoder
from training.errors import TrainingError
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.model import Branch, new_branch
from training.prepared_task import PreparedTask
from training.stored_states import Cache, states_stored_in
from training.trainer import checkpoint_of
from training.trainer_distillation import distill_branch


def distill_original(
    adopted: Adopted,
    name: str,
    encoder: Encoder,
    tap: int,
    layers: int,
    hyper: HyperParameters,
    metric: str | None = None,
    cache: Cache | None = None,
) -> Checkpoint:
    """Trains a student of `layers` layers at `tap`. name: of the task.

    Raises TrainingError if tap and layers do not fit the encoder, or as PreparedTask does.
    """
    check_place(encoder, tap, layers)
    task = PreparedTask(adopted.data, name, encoder, hyper.max_length, metric)
    with states_stored_in(cache, task, tap, passes=hyper.epochs):
        torch.manual_seed(hyper.seed)
        student = branch_of_encoder(task, tap, layers)
        result = distill_branch(task, student, tap, adopted.teacher_logits(task), hyper)
    return checkpoint_of(task, student, result, hyper, tap=tap, original=adopted.original)


def default_tap(encoder: Encoder, layers: int) -> int:
    """The deepest tap that search tries by default, or the deepest that leaves room for `layers`."""
    return min(encoder.layers - -(-encoder.layers // 3), encoder.layers - layers)


def check_place(encoder: Encoder, tap: int, layers: int) -> None:
    """Raises TrainingError unless the encoder has a trunk of `tap` layers and then at least `layers` more."""
    if layers < 1 or tap < 1 or tap + layers > encoder.layers:
        raise TrainingError(
            f"a student of {layers} layers on tap {tap} does not fit an encoder of {encoder.layers} layers: give a tap "
            f"of at least 1, and at most {encoder.layers} for both together."
        )


def branch_of_encoder(task: PreparedTask, tap: int, layers: int) -> Branch:
    """The encoder's `layers` layers above `tap`, with their pretrained weights, and a new head."""
    branch = new_branch(task.encoder, tap, task.outputs, per_token=task.kind is Kind.TAGGING)
    branch.layers = branch.layers[:layers]
    return branch
