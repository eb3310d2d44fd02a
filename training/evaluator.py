"""Running trunk and branch over examples: logits, decoded predictions, scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from training.batches import pad_tokens
from training.data import Example
from training.errors import TrainingError
from training.kinds import Kind
from training.metrics import score
from training.model import Branch, Trunk
from training.tokenization import NOT_SEEN, Tokens, tokenize


@torch.no_grad()
def logits_of(
    trunk: Trunk, branch: Branch, tokens: Sequence[Tokens], kind: Kind, batch_size: int = 64
) -> list[np.ndarray]:
    """For each example its logits, float32: [C], or [T, C] over its own T tokens for tagging.

    The order is the caller's; inside, examples of like length share a batch. Raises TrainingError if an output is no
    finite number.
    """
    device = next(branch.parameters()).device
    was_training = branch.training
    branch.eval()
    result: list[np.ndarray] = [np.empty(0)] * len(tokens)
    by_length = sorted(range(len(tokens)), key=lambda i: len(tokens[i].ids))
    for start in range(0, len(by_length), batch_size):
        chosen = by_length[start : start + batch_size]
        padded = {name: tensor.to(device) for name, tensor in pad_tokens([tokens[i] for i in chosen]).items()}
        hidden = trunk(**padded)[-1]
        logits = branch(hidden, padded["attention_mask"]).float().cpu().numpy()
        if not np.isfinite(logits).all():
            raise TrainingError("the branch's outputs are no finite numbers: train it with a lower learning rate.")
        for row, i in enumerate(chosen):
            result[i] = logits[row, : len(tokens[i].ids)] if kind is Kind.TAGGING else logits[row]
    branch.train(was_training)
    return result


def decode(logits: np.ndarray, tokens: Tokens, kind: Kind, labels: Sequence[str]) -> Any:
    """One example's logits -> class name, value, one tag per word ("O" for words cut off), or class names."""
    if kind is Kind.PAIR_REGRESSION:
        return float(logits[0])
    if kind is Kind.TAGGING:
        best = logits.argmax(axis=-1)
        return ["O" if position == NOT_SEEN else labels[best[position]] for position in tokens.word_positions]
    if kind is Kind.MULTI_LABEL:
        return [label for label, logit in zip(labels, logits, strict=True) if logit > 0]  # a probability over 0.5
    return labels[int(logits.argmax())]


def evaluate(
    trunk: Trunk,
    branch: Branch,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    kind: Kind,
    labels: Sequence[str],
    max_length: int,
) -> dict[str, float]:
    """All metrics of the kind on the examples, in points from 0 to 100."""
    tokens = tokenize(tokenizer, examples, max_length)
    predictions = [
        decode(logits, one, kind, labels)
        for logits, one in zip(logits_of(trunk, branch, tokens, kind), tokens, strict=True)
    ]
    return score(kind, labels, predictions, [example.label for example in examples])
