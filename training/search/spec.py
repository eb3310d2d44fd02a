"""The specification of one trial."""

from dataclasses import asdict, dataclass
from typing import Any

from training.search.result import Role


@dataclass(frozen=True)
class Spec:
    """A training of the search's grid. Trials with equal specs are the same training."""

    role: Role
    layers: int
    learning_rate: float
    seed: int

    @property
    def name(self) -> str:
        """The name of its checkpoint folder, for instance `teacher_L3_lr2e-05_seed0`."""
        letter = "l" if self.role in ("student", "vanilla") else "L"
        return f"{self.role}_{letter}{self.layers}_lr{self.learning_rate:g}_seed{self.seed}"

    @property
    def params(self) -> dict[str, Any]:
        """Its fields as Optuna stores them."""
        return asdict(self)
