"""Runs a trunk and a branch on examples: logits, decoded predictions, scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from training.batches import groups_by_length, make_inputs
from training.data import Example
from training.errors import NotFiniteError
from training.kinds import Kind
from training.metrics import score
from training.model import Branch, Trunk
from training.task_model import ComputedStates, TaskModel
from training.tokenization import NOT_SEEN, Tokens, tokenize


@torch.no_grad()
def logits_of(model: nn.Module, tokens: Sequence[Tokens], kind: Kind, batch_size: int = 64) -> list[np.ndarray]:
    """The logits of each example, in the order of `tokens`: float32 [C], or [T, C] over its own T tokens for tagging.

    model: Inputs -> logits, as a TaskModel.
    Raises NotFiniteError if an output is NaN or infinite.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    result: list[np.ndarray] = [np.empty(0)] * len(tokens)
    for rows in groups_by_length(tokens, batch_size):
        logits = model(make_inputs(tokens, rows).to(device)).float().cpu().numpy()
        for place, row in enumerate(rows):
            result[row] = logits[place, : len(tokens[row].ids)] if kind is Kind.TAGGING else logits[place]
            if not np.isfinite(result[row]).all():
                raise NotFiniteError("the branch's outputs are NaN or infinite: train it with a lower learning rate.")
    model.train(was_training)
    return result


def decode(logits: np.ndarray, tokens: Tokens, kind: Kind, labels: Sequence[str]) -> Any:
    """One example's logits -> class name, value, a tag per word ("O" for truncated words), or class names."""
    if kind is Kind.PAIR_REGRESSION:
        return float(logits[0])
    if kind is Kind.TAGGING:
        best = logits.argmax(axis=-1)
        return ["O" if position == NOT_SEEN else labels[best[position]] for position in tokens.word_positions]
    if kind is Kind.MULTI_LABEL:
        return [label for label, logit in zip(labels, logits, strict=True) if logit > 0]  # a probability over 0.5
    return labels[int(logits.argmax())]


def answers_of(model: nn.Module, tokens: Sequence[Tokens], kind: Kind, labels: Sequence[str]) -> list[Any]:
    """The decoded answer of each example, in the order of `tokens`."""
    return [decode(row, one, kind, labels) for row, one in zip(logits_of(model, tokens, kind), tokens, strict=True)]


def scores_of(
    model: nn.Module, tokens: Sequence[Tokens], examples: Sequence[Example], kind: Kind, labels: Sequence[str]
) -> dict[str, float]:
    """All metrics of the kind, in points from 0 to 100. tokens: those of `examples`, in the same order."""
    predictions = answers_of(model, tokens, kind, labels)
    return score(kind, labels, predictions, [example.label for example in examples])


def evaluate(
    trunk: Trunk,
    branch: Branch,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    kind: Kind,
    labels: Sequence[str],
    max_length: int,
) -> dict[str, float]:
    """All metrics of a branch on its trunk, in points from 0 to 100."""
    tokens = tokenize(tokenizer, examples, max_length)
    return scores_of(TaskModel(ComputedStates(trunk), branch), tokens, examples, kind, labels)
