"""The baseline full fine-tuning: all layers and the embeddings are fine-tuned for one task."""

import torch

from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.loop import AfterEpoch, Fit, fit, go_on
from training.prepared_task import PreparedTask
from training.task_model import FullModel


def fully_fine_tune(
    task: PreparedTask, hyper: HyperParameters, after_epoch: AfterEpoch = go_on
) -> tuple[FullModel, Fit]:
    """Fine-tunes a copy of the whole encoder for the task. Its weights fit no shared trunk."""
    torch.manual_seed(hyper.seed)
    model = FullModel(task.encoder, task.outputs, per_token=task.kind is Kind.TAGGING).to(task.device)
    result = fit(
        model,
        task.losses(model, task.hard_loss(hyper), hyper),
        task.batches(hyper),
        lambda: task.scores(model),
        task.metric,
        hyper,
        f"{task.name} full fine-tuning",
        after_epoch,
    )
    return model, result
