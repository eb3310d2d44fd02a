"""How a branch is trained."""

from dataclasses import dataclass
from enum import StrEnum

from training.errors import TrainingError


class TrainingPrecision(StrEnum):
    """auto is bf16 where the processor or GPU has it and fp32 elsewhere. Weights and scores are fp32 always."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


class ClassWeights(StrEnum):
    """balanced: each class counts the same in the hard loss, however many examples it has."""

    NONE = "none"
    BALANCED = "balanced"


@dataclass(frozen=True)
class HyperParameters:
    """The paper's Table 4 where it speaks; warm-up and clipping are those of BERT's own fine-tuning code.

    batch_size: examples per forward pass; accumulation: passes per optimizer step.
    first_epoch: the earliest epoch that may be kept as the best.
    patience: stop after so many epochs without a better score; 0 never stops early.
    """

    learning_rate: float = 2e-5
    batch_size: int = 32
    accumulation: int = 1
    epochs: int = 3
    first_epoch: int = 1
    patience: int = 0
    weight_decay: float = 0.01
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-6
    warm_up: float = 0.1
    clip_norm: float = 1.0
    class_weights: ClassWeights = ClassWeights.NONE
    max_length: int = 128
    precision: TrainingPrecision = TrainingPrecision.AUTO
    temperature: float = 2.0  # of distillation
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises TrainingError if no epoch could be kept."""
        if not 1 <= self.first_epoch <= self.epochs:
            raise TrainingError(
                f"the first epoch that may be kept must be one of the {self.epochs} trained, not {self.first_epoch}."
            )
