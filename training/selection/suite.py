"""A suite: one branch for each task, and the cost of all together."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from training.figure import Figure, average_error
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
        """The mean score of the tasks, in points, on the rows that chose."""
        return fmean(option.score for option in self.tasks.values())

    @property
    def figures(self) -> list[Figure]:
        """The figures of all tasks; empty if one has none."""
        found = [option.figure for option in self.tasks.values() if option.figure is not None]
        return found if len(found) == len(self.tasks) else []

    @property
    def told_average(self) -> float:
        """The mean of the scores to tell."""
        return fmean(option.told for option in self.tasks.values())

    def as_json(self) -> dict[str, Any]:
        """Returns the suite as `espalier select --json` prints it."""
        return {
            "name": self.name,
            "threshold": self.threshold,
            "tasks": {
                task: {"role": option.role, "layers": option.layers, "tap": option.tap, "score": option.score}
                | _figure_as_json(option.figure)
                for task, option in self.tasks.items()
            },
            "trunk_depth": self.trunk_depth,
            "total_layers": self.total_layers,
            "overhead": self.overhead,
            "average_score": self.average_score,
        } | (
            {"average_figure": self.told_average, "average_error": average_error(self.figures)} if self.figures else {}
        )


def _figure_as_json(figure: Figure | None) -> dict[str, Any]:
    if figure is None:
        return {}
    return {
        "figure": figure.score,
        "standard_error": figure.error,
        "rows": figure.rows,
        "chose_nothing": figure.chose_nothing,
    }
