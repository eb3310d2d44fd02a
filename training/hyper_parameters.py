"""How a branch is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HyperParameters:
    """The paper's Table 4 where it speaks; warm-up and clipping are those of BERT's own fine-tuning code."""

    learning_rate: float = 2e-5
    batch_size: int = 32
    epochs: int = 3
    weight_decay: float = 0.01
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-6
    warm_up: float = 0.1
    clip_norm: float = 1.0
    max_length: int = 128
    temperature: float = 2.0  # of distillation
    seed: int = 0
