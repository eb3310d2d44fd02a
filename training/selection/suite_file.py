"""The suite file: the checkpoint that serves each task. `espalier select` writes it, `espalier build` reads it."""

import os
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.atomic_write import replace_file
from training.errors import TrainingError
from training.selection.json_file import read_json_file
from training.selection.suite import Suite

FORMAT_VERSION: Final = 2


class SuiteEntry(BaseModel):
    """One task's branch."""

    model_config = ConfigDict(extra="forbid")
    checkpoint: str = Field(min_length=1, description="its folder, relative to the suite file")
    role: Literal["student", "teacher"]
    layers: int = Field(ge=1)
    score: float = Field(allow_inf_nan=False, description="dev metric in points")


class SuiteFile(BaseModel):
    """The content of a suite file."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[2]
    threshold: float = Field(ge=0, allow_inf_nan=False, description="c in points per layer")
    tasks: dict[str, SuiteEntry] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _refuse_version_1(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("format_version") == 1:
            raise ValueError(
                "an earlier Espalier wrote this suite file (format version 1, where a branch's role is called kind): "
                "write a new one with `espalier select RESULTS --threshold C --suite NEW_FILE`."
            )
        return content


def check_new_suite(path: Path) -> None:
    """Raises TrainingError if `path` exists: a suite file is never overwritten."""
    if os.path.lexists(path):
        raise TrainingError(f"{path} already exists and is not overwritten: choose another --suite or remove it.")


def write_suite(path: Path, suite: Suite) -> None:
    """Writes a new suite file, completely or not at all.

    Raises TrainingError if `path` exists or the checkpoint of a task is missing.
    """
    check_new_suite(path)
    home = path.parent.resolve()
    tasks = {}
    for task, option in suite.tasks.items():
        if option.checkpoint is None or not option.checkpoint.is_dir():
            raise TrainingError(
                f"task {task}: its {option.role} of {option.layers} layers has no checkpoint "
                f"({option.checkpoint or 'none is named'}): restore it or search that task again."
            )
        checkpoint = Path(os.path.relpath(option.checkpoint.resolve(), home)).as_posix()
        tasks[task] = SuiteEntry.model_validate(
            {"checkpoint": checkpoint, "role": option.role, "layers": option.layers, "score": option.score}
        )
    content = SuiteFile.model_validate({"format_version": FORMAT_VERSION, "threshold": suite.threshold, "tasks": tasks})
    home.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.model_dump_json(indent=2) + "\n", staged_in=home)


def read_suite(path: Path) -> SuiteFile:
    """Reads a suite file. Raises TrainingError, naming file and field, if it is damaged or of format version 1."""
    return read_json_file(path, SuiteFile, "suite file")
