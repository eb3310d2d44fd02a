"""A score that is told, with its standard error: of one task, or of several together."""

from collections.abc import Sequence
from statistics import fmean, stdev

from pydantic import BaseModel, ConfigDict, Field


class Figure(BaseModel):
    """A task's metric on the rows that give the figures.

    Figures of one task on the same rows were drawn alike, so their draws are compared one by one (bootstrap.py).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    rows: int = Field(ge=1)
    score: float = Field(description="in points, 0 to 100")
    draws: list[float] = Field(default_factory=list, description="the metric on rows drawn again")
    chose_nothing: bool = Field(description="False if the same rows chose the epoch, the layers or the learning rate")

    @property
    def error(self) -> float | None:
        """The standard error in points; None if nothing was drawn."""
        return stdev(self.draws) if len(self.draws) > 1 else None


def average_error(figures: Sequence[Figure]) -> float | None:
    """Returns the standard error of the tasks' mean score, in points; None if a figure has no draws."""
    draws = _draws(figures)
    return stdev(fmean(values) for values in draws) if draws else None


def share_error(figures: Sequence[Figure], others: Sequence[Figure]) -> float | None:
    """Returns the standard error of the ratio of two ways' mean scores, paired by task.

    figures, others: of the same tasks in the same order. None if a figure has no draws.
    """
    ours, theirs = _draws(figures), _draws(others)
    if len(ours) != len(theirs) or len(ours) < 2 or any(sum(values) == 0 for values in theirs):
        return None
    return stdev(sum(values) / sum(base) for values, base in zip(ours, theirs, strict=True))


def _draws(figures: Sequence[Figure]) -> list[tuple[float, ...]]:
    """Returns for each draw the values of all figures; nothing if one has another number of draws."""
    if not figures or len({len(figure.draws) for figure in figures}) > 1:
        return []
    return list(zip(*(figure.draws for figure in figures), strict=True))
