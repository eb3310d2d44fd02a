"""The options of each task: the branches that can serve it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.errors import TrainingError

OptionRole = Literal["student", "teacher", "full"]


@dataclass(frozen=True)
class Option:
    """One branch that can serve a task. `full` is the whole encoder, fine-tuned; it shares no trunk (tap 0)."""

    role: OptionRole
    layers: int
    tap: int
    score: float  # dev metric in points
    checkpoint: Path | None = None  # None if only the score is known


@dataclass(frozen=True)
class TaskOptions:
    """A task's teacher, its students by ascending l, and full fine-tuning if its score is known."""

    teacher: Option
    students: Mapping[int, Option]
    full: Option | None = None


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
