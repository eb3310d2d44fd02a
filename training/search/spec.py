"""The specification of one trial."""

from dataclasses import asdict, dataclass
from typing import Any

from training.search.result import Role


@dataclass(frozen=True)
class Spec:
    """A training of the search's grid. Trials with equal specs are the same training.

    tap: of a student at another tap than its teacher's. total_epochs: of a longer run; None: the search's epochs.
    """

    role: Role
    layers: int
    learning_rate: float
    seed: int
    tap: int | None = None
    total_epochs: int | None = None

    @property
    def name(self) -> str:
        """The name of its checkpoint folder, for instance `teacher_L3_lr2e-05_seed0`."""
        letter = "l" if self.role in ("student", "vanilla") else "L"
        tap = "" if self.tap is None else f"_tap{self.tap}"
        epochs = "" if self.total_epochs is None else f"_epochs{self.total_epochs}"
        return f"{self.role}_{letter}{self.layers}{tap}_lr{self.learning_rate:g}_seed{self.seed}{epochs}"

    @property
    def params(self) -> dict[str, Any]:
        """Its fields as Optuna stores them, without those that say nothing special."""
        return {name: value for name, value in asdict(self).items() if value is not None}
