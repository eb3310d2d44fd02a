"""The options of each task: the branches that can serve it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.errors import TrainingError
from training.figure import Figure

OptionRole = Literal["student", "teacher", "full"]


@dataclass(frozen=True)
class Option:
    """One branch that can serve a task. `full` is the whole encoder, fine-tuned; it shares no trunk (tap 0)."""

    role: OptionRole
    layers: int
    tap: int
    score: float  # dev metric in points
    checkpoint: Path | None = None  # None if only the score is known
    figure: Figure | None = None  # the score to tell, on rows that may have chosen nothing; None: only `score` is known

    @property
    def told(self) -> float:
        """The score to tell: the figure's, or else the one that chose."""
        return self.score if self.figure is None else self.figure.score


@dataclass(frozen=True)
class TaskOptions:
    """A task's teacher, its students by ascending l, and full fine-tuning if its score is known.

    other_taps: students that read the trunk elsewhere than their teacher.
    """

    teacher: Option
    students: Mapping[int, Option]
    full: Option | None = None
    other_taps: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Options:
    """The options of all tasks of one encoder.

    Raises TrainingError if a student does not have fewer layers than its teacher, from whose layers it is made.
    """

    encoder_layers: int
    tasks: Mapping[str, TaskOptions]

    def __post_init__(self) -> None:
        for task, options in self.tasks.items():
            largest = max(options.students, default=0)
            if largest >= options.teacher.layers:
                raise TrainingError(
                    f"task {task}: its student of {largest} layers is not smaller than its teacher of "
                    f"{options.teacher.layers}, from which students are distilled: leave that student out or choose "
                    "other --teacher-layers."
                )
