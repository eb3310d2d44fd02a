"""What each task can be served with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.errors import TrainingError

OptionRole = Literal["student", "teacher", "full"]


@dataclass(frozen=True)
class Option:
    """One branch that a task can have; `full` is the whole encoder fine-tuned, which shares no trunk (tap 0)."""

    role: OptionRole
    layers: int
    tap: int
    score: float  # dev metric in points
    checkpoint: Path | None = None  # None if only the score is known


@dataclass(frozen=True)
class TaskOptions:
    """A task's teacher, its students by l, ascending, and full fine-tuning where its score is known."""

    teacher: Option
    students: Mapping[int, Option]
    full: Option | None = None


@dataclass(frozen=True)
class Options:
    """All tasks of one encoder.

    Raises TrainingError if a student is not smaller than its teacher: it is made of some of the teacher's layers.
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
