"""What training minimises: the hard loss against labels and the soft loss against a teacher."""

import torch
from torch.nn import functional

from training.batches import Batch
from training.kinds import Kind


def training_logits(logits: torch.Tensor, batch: Batch, kind: Kind) -> torch.Tensor:
    """The logits that have a target: [B, C], [B] for regression, and [M, C] (first sub-words) for tagging."""
    if kind is Kind.TAGGING:
        return logits[batch.word_rows, batch.word_columns]
    if kind is Kind.PAIR_REGRESSION:
        return logits.squeeze(-1)
    return logits


def hard_loss(logits: torch.Tensor, targets: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Mean loss against the labels: squared error, binary cross-entropy per class (multi-label) or cross-entropy."""
    if kind is Kind.PAIR_REGRESSION:
        return functional.mse_loss(logits, targets)
    if kind is Kind.MULTI_LABEL:
        return functional.binary_cross_entropy_with_logits(logits, targets)
    return functional.cross_entropy(logits, targets)


def soft_loss(student: torch.Tensor, teacher: torch.Tensor, kind: Kind, temperature: float) -> torch.Tensor:
    """Mean loss against the teacher's outputs softened by T, times T^2 (Hinton et al. 2015).

    A regression value has no temperature: there it is the squared error alone.
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
