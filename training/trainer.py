"""Partial fine-tuning: the top L layers of an encoder on one task, all below frozen (paper, section 3.1)."""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from training.batches import Batch, epoch_batches, target_of
from training.checkpoint import FORMAT_VERSION, BranchRecord, Checkpoint, EncoderRecord, TrainingRecord
from training.data import TaskData
from training.encoder import Encoder
from training.errors import TrainingError
from training.evaluator import evaluate
from training.fingerprint import trunk_fingerprints
from training.golden import golden_examples
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.losses import hard_loss, training_logits
from training.metrics import check_metric
from training.model import Branch, Trunk, new_branch
from training.tokenization import tokenize

# (logits with a target, batch, hidden states at the tap) -> loss
Loss = Callable[[torch.Tensor, Batch, torch.Tensor], torch.Tensor]


def fine_tune(
    data: TaskData, task: str, encoder: Encoder, layers: int, hyper: HyperParameters, metric: str | None = None
) -> Checkpoint:
    """Trains a teacher: the encoder's top `layers` layers and a new head, tap = N - layers.

    metric: the dev metric that picks the best epoch; None takes the kind's default.
    Raises TrainingError if `layers` leaves no trunk or the loss is no number.
    """
    if not 1 <= layers < encoder.layers:
        raise TrainingError(
            f"L must be 1..{encoder.layers - 1} for an encoder of {encoder.layers} layers (tap 0 would leave no trunk "
            f"to share), not {layers}."
        )
    torch.manual_seed(hyper.seed)
    tap = encoder.layers - layers
    branch = new_branch(encoder, tap, len(data.labels) or 1, per_token=data.kind is Kind.TAGGING)

    def loss(logits: torch.Tensor, batch: Batch, hidden: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
        return hard_loss(logits, batch.targets, data.kind)

    return train_branch(branch, tap, data, task, encoder, hyper, loss, metric or data.kind.default_metric)


def train_branch(
    branch: Branch,
    tap: int,
    data: TaskData,
    task: str,
    encoder: Encoder,
    hyper: HyperParameters,
    loss: Loss,
    metric: str,
    teacher: BranchRecord | None = None,
) -> Checkpoint:
    """Trains `branch` on the frozen trunk, keeps the epoch that is best on dev, and makes it a checkpoint."""
    check_metric(metric, data.kind, data.labels)
    max_positions = encoder.config["max_position_embeddings"]
    if not 4 <= hyper.max_length <= max_positions:
        raise TrainingError(f"the maximum length must be 4..{max_positions} tokens, not {hyper.max_length}.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trunk = Trunk(encoder, [tap]).to(device)
    branch = branch.to(device)
    tokens = tokenize(encoder.tokenizer, data.train, hyper.max_length)
    targets = [target_of(example, data.kind, data.labels) for example in data.train]
    steps = math.ceil(len(tokens) / hyper.batch_size) * hyper.epochs
    optimizer, schedule = _optimizer(branch, hyper, steps)
    shuffle = torch.Generator().manual_seed(hyper.seed)
    best_epoch, best_scores, best_state = 0, {metric: -math.inf}, branch.state_dict()

    with tqdm(total=steps, desc=f"{task} tap {tap} layers {len(branch.layers)}", unit="step", disable=None) as progress:
        for epoch in range(1, hyper.epochs + 1):
            branch.train()
            for cpu_batch in epoch_batches(tokens, targets, data.kind, hyper.batch_size, shuffle):
                if cpu_batch.targets.numel() == 0:  # tagging: no word of the batch has a token, nothing to learn
                    progress.update()
                    continue
                batch = cpu_batch.to(device)
                with torch.no_grad():
                    hidden = trunk(batch.input_ids, batch.attention_mask, batch.token_type_ids)[-1]
                logits = training_logits(branch(hidden, batch.attention_mask), batch, data.kind)
                value = loss(logits, batch, hidden)
                if not torch.isfinite(value):
                    raise TrainingError(
                        f"the loss of {task} is {value.item()} in epoch {epoch}: try a lower learning rate than "
                        f"{hyper.learning_rate:g}."
                    )
                optimizer.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(branch.parameters(), hyper.clip_norm)
                optimizer.step()
                schedule.step()
                progress.update()
            scores = evaluate(trunk, branch, encoder.tokenizer, data.dev, data.kind, data.labels, hyper.max_length)
            progress.set_postfix({metric: f"{scores[metric]:.2f}"})
            if scores[metric] > best_scores[metric]:
                best_epoch, best_scores, best_state = epoch, scores, copy.deepcopy(branch.state_dict())

    branch.load_state_dict(best_state)
    branch, trunk = branch.cpu().eval(), trunk.cpu()
    hyper_parameters = asdict(hyper)
    training = TrainingRecord(
        role="student" if teacher else "teacher",
        data=data.source,
        data_sha256=data.sha256,
        train_rows=len(data.train),
        dev_rows=len(data.dev),
        seed=hyper_parameters.pop("seed"),
        best_epoch=best_epoch,
        hyper_parameters=hyper_parameters,
        teacher=teacher.model_dump(mode="json") if teacher else None,
    )
    record = BranchRecord(
        format_version=FORMAT_VERSION,
        task=task,
        kind=data.kind,
        labels=list(data.labels),
        metric=metric,
        encoder=EncoderRecord(name=encoder.name, layers=encoder.layers, config=encoder.config),
        tap=tap,
        layers=len(branch.layers),
        max_length=hyper.max_length,
        trunk_fingerprint=trunk_fingerprints(encoder, tap)[tap],
        scores=best_scores,
        training=training,
    )
    golden = golden_examples(trunk, branch, encoder.tokenizer, data.dev, data.kind, hyper.max_length)
    return Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=golden)


def _optimizer(branch: Branch, hyper: HyperParameters, steps: int) -> tuple[torch.optim.Optimizer, LambdaLR]:
    """Adam with decoupled weight decay on all but biases and layer norms; linear warm-up, then linear decay to 0."""
    matrices = [p for p in branch.parameters() if p.dim() > 1]
    vectors = [p for p in branch.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": hyper.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=hyper.learning_rate,
        betas=(hyper.beta_1, hyper.beta_2),
        eps=hyper.epsilon,
    )
    warm_up = max(1, round(hyper.warm_up * steps))
    return optimizer, LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))
    )
