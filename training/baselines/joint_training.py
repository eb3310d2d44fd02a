"""The baseline MT-DNN: all tasks fine-tune one encoder together (Liu et al. 2019, algorithm 1)."""

from collections.abc import Callable, Iterator, Sequence

import torch

from training.baselines.joint_model import JointModel
from training.encoder import Encoder
from training.hyper_parameters import HyperParameters
from training.loop import fit
from training.model import Branch
from training.prepared_task import PreparedTask

MEAN = "mean of the tasks"  # a task's name has no spaces

# Yields the loss of each batch of one epoch.
Losses = Callable[[], Iterator[torch.Tensor]]


# Told of each trained task: the trained encoder and the task's head.
Keep = Callable[[PreparedTask, Encoder, Branch], None]


def keep_nothing(task: PreparedTask, encoder: Encoder, head: Branch) -> None:
    """The Keep that drops the weights."""


def train_jointly(
    tasks: Sequence[PreparedTask], hyper: HyperParameters, title: str, keep: Keep = keep_nothing
) -> tuple[Encoder, dict[str, float]]:
    """Trains a copy of the tasks' encoder on all tasks and keeps the epoch with the best mean dev metric.

    Returns the trained encoder and each task's dev metric in that epoch. title: for the progress bar and messages.
    Raises NotFiniteError if a loss is NaN or infinite.
    """
    torch.manual_seed(hyper.seed)
    model = JointModel(tasks[0].encoder, tasks).to(tasks[0].device)
    pairs = list(zip(tasks, model.task_models, strict=True))
    losses = [task.losses(own, task.hard_loss(hyper), hyper) for task, own in pairs]
    batches = [task.batches(hyper) for task in tasks]

    def evaluate() -> dict[str, float]:
        scores = {task.name: task.scores(own)[task.metric] for task, own in pairs}
        return {**scores, MEAN: sum(scores.values()) / len(scores)}

    result = fit(model, mix_batches(losses, batches, hyper.seed), sum(batches), evaluate, MEAN, hyper, title)
    for task, own in pairs:
        keep(task, model.encoder, own.branch)
    return model.encoder, {task.name: result.scores[task.name] for task in tasks}


def mix_batches(losses: Sequence[Losses], batches: Sequence[int], seed: int) -> Losses:
    """Returns one epoch of all tasks: each batch of each task once, in random order.

    losses: one per task. batches: the number of batches that each of `losses` yields.
    """
    shuffle = torch.Generator().manual_seed(seed)
    turns = [task for task, number in enumerate(batches) for _ in range(number)]

    def one_epoch() -> Iterator[torch.Tensor]:
        epochs = [one() for one in losses]
        for turn in torch.randperm(len(turns), generator=shuffle).tolist():
            yield next(epochs[turns[turn]])

    return one_epoch
