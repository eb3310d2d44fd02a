"""A suite: one branch for each task, and the cost of all together."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from training.selection.options import Option


@dataclass(frozen=True)
class Suite:
    """One row of the paper's Appendix D."""

    name: str
    threshold: float | None  # c in points per layer; None where no threshold decided
    encoder_layers: int
    tasks: Mapping[str, Option]

    @property
    def trunk_depth(self) -> int:
        """The deepest tap: the number of layers that are computed once for all tasks."""
        return max(option.tap for option in self.tasks.values())

    @property
    def total_layers(self) -> int:
        """The trunk's layers and those of all branches."""
        return self.trunk_depth + sum(option.layers for option in self.tasks.values())

    @property
    def overhead(self) -> float:
        """total_layers as a fraction of N x tasks, the layers of one whole encoder per task."""
        return self.total_layers / (self.encoder_layers * len(self.tasks))

    @property
    def average_score(self) -> float:
        """The mean score of the tasks, in points."""
        return fmean(option.score for option in self.tasks.values())

    def as_json(self) -> dict[str, Any]:
        """Returns the suite as `espalier select --json` prints it."""
        return {
            "name": self.name,
            "threshold": self.threshold,
            "tasks": {
                task: {"role": option.role, "layers": option.layers, "tap": option.tap, "score": option.score}
                for task, option in self.tasks.items()
            },
            "trunk_depth": self.trunk_depth,
            "total_layers": self.total_layers,
            "overhead": self.overhead,
            "average_score": self.average_score,
        }
