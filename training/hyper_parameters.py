"""The hyper-parameters of a training."""

from dataclasses import dataclass
from enum import StrEnum

from training.errors import TrainingError


class TrainingPrecision(StrEnum):
    """The number format of a training step. Weights and scores are always fp32.

    auto: bf16 where the CPU or GPU has it in hardware, else fp32.
    """

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


class ClassWeights(StrEnum):
    """How much each class counts in the hard loss. balanced: all the same, however many examples a class has."""

    NONE = "none"
    BALANCED = "balanced"


@dataclass(frozen=True)
class HyperParameters:
    """Defaults from the paper's Table 4; warm-up and clipping, which it lacks, from BERT's fine-tuning code.

    learning_rate: the peak. warm_up: the share of all steps in which it rises from 0.
    batch_size: examples per forward pass. accumulation: forward passes per optimizer step.
    first_epoch: the earliest epoch that may be kept as the best.
    patience: stop after this many epochs without a better score; 0 never stops early.
    temperature: of the soft loss in distillation.
    Raises TrainingError if first_epoch is not one of the epochs.
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
    temperature: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.first_epoch <= self.epochs:
            raise TrainingError(
                f"the first epoch that may be kept must be one of the {self.epochs} trained, not {self.first_epoch}."
            )
