"""The losses: the hard loss against labels and the soft loss against a teacher."""

import torch
from torch.nn import functional

from training.batches import Batch
from training.kinds import Kind


def training_logits(logits: torch.Tensor, batch: Batch, kind: Kind) -> torch.Tensor:
    """The logits that have a target: [B, C]; [B] for regression; [M, C], those of first sub-words, for tagging."""
    if kind is Kind.TAGGING:
        return logits[batch.word_rows, batch.word_columns]
    if kind is Kind.PAIR_REGRESSION:
        return logits.squeeze(-1)
    return logits


def hard_loss(
    logits: torch.Tensor, targets: torch.Tensor, kind: Kind, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean loss against the labels: squared error, binary cross-entropy per class (multi-label) or cross-entropy.

    weights: float32 [C], made by balanced_weights; not used for regression.
    """
    if kind is Kind.PAIR_REGRESSION:
        return functional.mse_loss(logits, targets)
    if kind is Kind.MULTI_LABEL:
        return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
    return functional.cross_entropy(logits, targets, weight=weights)


def balanced_weights(targets: torch.Tensor, kind: Kind, classes: int) -> torch.Tensor:
    """Class weights, float32 [C], that make every class count the same. targets: those of a Batch of all examples.

    The weight of a class is n / (C x n of the class), scikit-learn's "balanced". For multi-label it is the weight of
    the label's positive examples: negatives / positives, at least 1. A class without examples gets 1.
    """
    if kind is Kind.MULTI_LABEL:
        positive = targets.sum(dim=0)
        return torch.where(positive > 0, (len(targets) - positive) / positive.clamp(min=1), 1.0).clamp(min=1.0)
    counts = torch.bincount(targets, minlength=classes).float()
    return torch.where(counts > 0, len(targets) / (classes * counts.clamp(min=1)), 1.0)


def soft_loss(student: torch.Tensor, teacher: torch.Tensor, kind: Kind, temperature: float) -> torch.Tensor:
    """Mean loss against the teacher's outputs, both softened by the temperature T, times T^2 (Hinton et al. 2015).

    For regression, which has no temperature, it is the squared error.
    """
    if kind is Kind.PAIR_REGRESSION:
        return functional.mse_loss(student, teacher)
    if kind is Kind.MULTI_LABEL:
        loss = functional.binary_cross_entropy_with_logits(student / temperature, torch.sigmoid(teacher / temperature))
    else:
        loss = functional.kl_div(
            functional.log_softmax(student / temperature, dim=-1),
            functional.log_softmax(teacher / temperature, dim=-1),
            reduction="batchmean",
            log_target=True,
        )
    return temperature**2 * loss
