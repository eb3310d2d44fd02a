"""A task's data as tensors, made once for all the trainings that it is used in."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import nn

from training.batches import Batch, epoch_batches, make_batch, target_of
from training.data import Example, TaskData
from training.device import autocast, training_device
from training.encoder import Encoder
from training.errors import TrainingError
from training.evaluator import answers_of, scores_of
from training.hyper_parameters import ClassWeights, HyperParameters
from training.kinds import Kind
from training.losses import balanced_weights, hard_loss, training_logits
from training.metrics import check_metric, constant_score
from training.model import Branch, Trunk
from training.task_model import ComputedStates, ContinuedStates, HiddenStates, TaskModel
from training.tokenization import NOT_SEEN, Tokens, tokenize

# held: the half of dev that chooses nothing, if dev was cut in two
Split = Literal["train", "dev", "held"]
# (logits with a target, batch) -> mean loss
Loss = Callable[[torch.Tensor, Batch], torch.Tensor]


class PreparedTask:
    """One task on one encoder: tokens, targets and the hidden states that branches read.

    stored: the hidden states that need not be computed, by split and tap; empty at first.

    metric: picks the best epoch; None takes the data's own or the kind's default.
    Raises TrainingError if the metric is none of the kind's, or if the maximum length or the token types do not fit
    the encoder.
    """

    def __init__(self, data: TaskData, name: str, encoder: Encoder, max_length: int, metric: str | None = None) -> None:
        max_positions = encoder.architecture.max_position_embeddings
        if not 4 <= max_length <= max_positions:
            raise TrainingError(
                f"the maximum length of {max_length} tokens does not suit the encoder {encoder.name!r}: give a "
                f"--max-length of 4 to {max_positions}, which is the most that it reads."
            )
        self.metric = metric or data.metric or data.kind.default_metric
        check_metric(self.metric, data.kind, data.labels)
        self.data, self.name, self.encoder, self.max_length = data, name, encoder, max_length
        self.kind: Kind = data.kind
        self.outputs = len(data.labels) or 1
        self.device = training_device()
        self.stored: dict[tuple[Split, int], HiddenStates] = {}
        self.examples: dict[Split, list[Example]] = {"train": data.train, "dev": data.dev}
        if data.held:
            self.examples["held"] = data.held
        self.tokens: dict[Split, list[Tokens]] = {
            split: tokenize(encoder.tokenizer, examples, max_length) for split, examples in self.examples.items()
        }
        self._check_token_types()
        if self.kind is Kind.TAGGING:
            self._leave_out_wordless()
        self.targets = [target_of(example, self.kind, data.labels) for example in self.examples["train"]]

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that the task has."""
        return tuple(self.examples)

    def states(self, split: Split, tap: int) -> HiddenStates:
        """The hidden states at a tap, for the texts of one split: stored ones where they exist."""
        below = max((stored for of, stored in self.stored if of == split and stored <= tap), default=None)
        if below is None:
            return ComputedStates(Trunk(self.encoder, [tap]).to(self.device))
        if below == tap:
            return self.stored[split, tap]
        return ContinuedStates(self.stored[split, below], self.encoder, below, tap, self.device)

    def model(self, split: Split, branch: Branch, tap: int) -> TaskModel:
        """The branch on its hidden states."""
        return TaskModel(self.states(split, tap), branch.to(self.device))

    def batches(self, hyper: HyperParameters) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.targets) / hyper.batch_size)

    def losses(self, model: nn.Module, loss: Loss, hyper: HyperParameters) -> Callable[[], Iterator[torch.Tensor]]:
        """A function that yields the loss of each batch of one epoch, every call in another random order."""
        shuffle = torch.Generator().manual_seed(hyper.seed)

        def one_epoch() -> Iterator[torch.Tensor]:
            for cpu_batch in epoch_batches(self.tokens["train"], self.targets, self.kind, hyper.batch_size, shuffle):
                batch = cpu_batch.to(self.device)
                with autocast(self.device, hyper.precision):
                    logits = model(batch)
                yield loss(training_logits(logits.float(), batch, self.kind), batch)

        return one_epoch

    def hard_loss(self, hyper: HyperParameters) -> Loss:
        """The loss against the labels, with the class weights that were asked for."""
        weights = None
        if hyper.class_weights is ClassWeights.BALANCED and self.kind is not Kind.PAIR_REGRESSION:
            everything = make_batch(self.tokens["train"], self.targets, self.kind)
            weights = balanced_weights(everything.targets, self.kind, self.outputs).to(self.device)
        return lambda logits, batch: hard_loss(logits, batch.targets, self.kind, weights)

    def scores(self, model: nn.Module) -> dict[str, float]:
        """All dev metrics of a model that reads the dev split."""
        return scores_of(model, self.tokens["dev"], self.examples["dev"], self.kind, self.data.labels)

    def answers(self, model: nn.Module, split: Split) -> list[Any]:
        """The decoded answers of a model that reads this split, as metrics.score takes them."""
        return answers_of(model, self.tokens[split], self.kind, self.data.labels)

    def golds(self, split: Split) -> list[Any]:
        """The true answers."""
        return [example.label for example in self.examples[split]]

    @property
    def constant_score(self) -> float:
        """What one answer for all rows of dev scores, in points."""
        return constant_score(self.kind, self.data.labels, self.metric, self.golds("dev"))

    def _check_token_types(self) -> None:
        """Raises TrainingError if the encoder reads token types, and has none for the second text of a pair."""
        known = self.encoder.architecture.type_vocab_size
        if known and any(max(tokens.types) >= known for split in self.tokens.values() for tokens in split):
            raise TrainingError(
                f"the encoder {self.encoder.name!r} has {known} token type(s), and its tokenizer marks the second text "
                f"of a pair with another: a task of kind {self.kind} needs an encoder with more (type_vocab_size)."
            )

    def _leave_out_wordless(self) -> None:
        """Takes out the training rows of which no word has a token: there is nothing to learn from them."""
        kept = [
            (example, tokens)
            for example, tokens in zip(self.examples["train"], self.tokens["train"], strict=True)
            if any(position != NOT_SEEN for position in tokens.word_positions)
        ]
        if not kept:
            raise TrainingError(f"{self.data.source}: no word of any training row has a token.")
        self.examples["train"] = [example for example, _ in kept]
        self.tokens["train"] = [tokens for _, tokens in kept]
