"""Reads options from a JSON file of scores: of tasks trained elsewhere, or from a paper."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from training.errors import TrainingError
from training.search.layer_range import check_range, default_range
from training.selection.json_file import read_json_file
from training.selection.options import Option, Options, TaskOptions
from training.selection.teacher_choice import choose_teacher


def _plain_number(key: Any) -> Any:
    """Refuses "1.0" and "01": pydantic alone reads them as 1, and keeps one of two such keys."""
    if isinstance(key, str) and not re.fullmatch(r"[1-9][0-9]{0,3}", key):
        raise ValueError("a number of layers is written as a plain number, like 4.")
    return key


def _some(scores: dict[int, float]) -> dict[int, float]:
    if not scores:
        raise ValueError("a score is missing: give at least one, like 66.1 for 1 layer.")
    return scores


Score = Annotated[float, Field(strict=True, allow_inf_nan=False)]
ScoresByLayers = Annotated[
    dict[Annotated[int, BeforeValidator(_plain_number)], Score], AfterValidator(_some), Field(description="points")
]


class TaskScores(BaseModel):
    """The scores of one task: students by l, teachers by L."""

    model_config = ConfigDict(extra="forbid")
    students: ScoresByLayers
    teachers: ScoresByLayers


class Scores(BaseModel):
    """The content of the file. A teacher of all N layers is full fine-tuning, to compare with."""

    model_config = ConfigDict(extra="forbid")
    encoder_layers: int = Field(strict=True, ge=2)
    tasks: dict[str, TaskScores]

    @model_validator(mode="after")
    def _layers_fit_the_encoder(self) -> Self:
        if not self.tasks:
            raise ValueError("tasks: the file has none: give at least one.")
        for task, scores in self.tasks.items():
            for field, by_layers, most in (
                ("students", scores.students, self.encoder_layers - 1),
                ("teachers", scores.teachers, self.encoder_layers),
            ):
                if max(by_layers) > most:
                    raise ValueError(
                        f"tasks.{task}.{field}.{max(by_layers)}: with an encoder of {self.encoder_layers} layers, a "
                        f"{field[:-1]} has 1 to {most}."
                    )
        return self

    def options(self, teacher_layers: range | None = None) -> Options:
        """Returns the options of each task. Its teacher is chosen among the L of `teacher_layers` that have a score.

        teacher_layers: None is the default range. Raises TrainingError if a task has no teacher in the range, or if the
        range leaves no trunk.
        """
        allowed = default_range(self.encoder_layers) if teacher_layers is None else teacher_layers
        check_range(allowed, self.encoder_layers)
        tasks = {task: self._task_options(task, scores, allowed) for task, scores in self.tasks.items()}
        return Options(self.encoder_layers, tasks)

    def _task_options(self, task: str, scores: TaskScores, allowed: range) -> TaskOptions:
        within = {layers: score for layers, score in scores.teachers.items() if layers in allowed}
        if not within:
            raise TrainingError(
                f"task {task}: none of its teachers (L = {', '.join(map(str, sorted(scores.teachers)))}) is within "
                f"{allowed[0]}-{allowed[-1]}: add such a score or choose other --teacher-layers."
            )
        layers = choose_teacher(within)
        tap = self.encoder_layers - layers
        full = scores.teachers.get(self.encoder_layers)
        return TaskOptions(
            teacher=Option("teacher", layers, tap, within[layers]),
            students={count: Option("student", count, tap, score) for count, score in sorted(scores.students.items())},
            full=None if full is None else Option("full", self.encoder_layers, 0, full),
        )


def read_scores(path: Path) -> Scores:
    """Reads a file of scores. Raises TrainingError, naming file, task and field."""
    return read_json_file(path, Scores, "file of scores")
