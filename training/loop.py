"""The training loop that teachers, students and baselines share."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from training.errors import NotFiniteError
from training.hyper_parameters import HyperParameters
from training.progress import Progress

# Told the score after each epoch; what it raises ends the training.
AfterEpoch = Callable[[int, float], None]


def go_on(epoch: int, score: float) -> None:
    """The AfterEpoch that never ends a training."""


@dataclass(frozen=True)
class Fit:
    """What a training came to. epochs: the metric after each epoch; scores: all metrics after the best one."""

    best_epoch: int
    scores: dict[str, float]
    epochs: dict[int, float]


def fit(
    model: nn.Module,
    losses: Callable[[], Iterator[torch.Tensor]],
    batches: int,
    evaluate: Callable[[], dict[str, float]],
    metric: str,
    hyper: HyperParameters,
    title: str,
    after_epoch: AfterEpoch = go_on,
) -> Fit:
    """Trains `model` in place; it ends with the weights of the epoch that is best on dev, and in evaluation mode.

    losses: yields the mean loss of each batch of one epoch, `batches` of them; evaluate: the dev scores.
    title: for the progress. after_epoch: see AfterEpoch.
    Raises NotFiniteError if a loss is NaN or infinite.
    """
    steps_per_epoch = math.ceil(batches / hyper.accumulation)
    steps = steps_per_epoch * hyper.epochs
    optimizer, schedule = _optimizer(model, hyper, steps)
    epochs: dict[int, float] = {}
    best_epoch, best_scores, best_state = 0, {metric: -math.inf}, model.state_dict()

    with Progress(title, steps) as progress:
        for epoch in range(1, hyper.epochs + 1):
            model.train()
            for number, loss in enumerate(losses()):
                if not torch.isfinite(loss):
                    raise NotFiniteError(
                        f"{title}: the loss is {loss.item()} in epoch {epoch}; try a lower learning rate than "
                        f"{hyper.learning_rate:g}."
                    )
                begun = number - number % hyper.accumulation
                (loss / min(hyper.accumulation, batches - begun)).backward()
                if (number + 1) % hyper.accumulation == 0 or number + 1 == batches:
                    nn.utils.clip_grad_norm_(model.parameters(), hyper.clip_norm)
                    optimizer.step()
                    schedule.step()
                    optimizer.zero_grad()
                    progress.step()
            scores = evaluate()
            epochs[epoch] = scores[metric]
            progress.epoch(epoch, metric, scores[metric])
            if epoch >= hyper.first_epoch and scores[metric] > best_scores[metric]:
                best_epoch, best_scores, best_state = epoch, scores, copy.deepcopy(model.state_dict())
            after_epoch(epoch, scores[metric])
            if hyper.patience and best_epoch and epoch - best_epoch >= hyper.patience:
                break

    model.load_state_dict(best_state)
    model.eval()
    return Fit(best_epoch, best_scores, epochs)


def _optimizer(model: nn.Module, hyper: HyperParameters, steps: int) -> tuple[torch.optim.Optimizer, LambdaLR]:
    """Adam with decoupled weight decay on all but biases and layer norms; linear warm-up, then linear decay to 0."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.dim() > 1]
    vectors = [p for p in trained if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": hyper.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=hyper.learning_rate,
        betas=(hyper.beta_1, hyper.beta_2),
        eps=hyper.epsilon,
        fused=True,
    )
    warm_up = max(1, round(hyper.warm_up * steps))
    return optimizer, LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))
    )
