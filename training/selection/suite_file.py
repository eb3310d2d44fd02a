"""The suite file: which checkpoint each task is served with. `espalier select` writes it, `espalier build` reads it."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from training.errors import TrainingError
from training.selection.json_file import read_json_file
from training.selection.suite import Suite


class SuiteEntry(BaseModel):
    """One task's branch; `checkpoint` is relative to the suite file."""

    model_config = ConfigDict(extra="forbid")
    checkpoint: str = Field(min_length=1)
    kind: Literal["student", "teacher"]
    layers: int = Field(ge=1)
    score: float = Field(allow_inf_nan=False, description="dev metric in points")


class SuiteFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1]
    threshold: float = Field(ge=0, allow_inf_nan=False, description="c in points per layer")
    tasks: dict[str, SuiteEntry] = Field(min_length=1)


def check_new_suite(path: Path) -> None:
    """Raises TrainingError if something is there already: a suite file is never overwritten."""
    if os.path.lexists(path):
        raise TrainingError(f"{path} already exists and is not overwritten: choose another --suite or remove it.")


def write_suite(path: Path, suite: Suite) -> None:
    """Writes a new suite file, whole or not at all.

    Raises TrainingError if it is there already, or a task's checkpoint is not.
    """
    check_new_suite(path)
    home = path.parent.resolve()
    tasks = {}
    for task, option in suite.tasks.items():
        if option.checkpoint is None or not option.checkpoint.is_dir():
            raise TrainingError(
                f"task {task}: its {option.kind} of {option.layers} layers has no checkpoint "
                f"({option.checkpoint or 'none is named'}): restore it or search that task anew."
            )
        checkpoint = Path(os.path.relpath(option.checkpoint.resolve(), home)).as_posix()
        tasks[task] = SuiteEntry.model_validate(
            {"checkpoint": checkpoint, "kind": option.kind, "layers": option.layers, "score": option.score}
        )
    content = SuiteFile.model_validate({"format_version": 1, "threshold": suite.threshold, "tasks": tasks})
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=f".{path.name}.") as temporary:
        staged = Path(temporary) / path.name
        staged.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")
        staged.rename(path)


def read_suite(path: Path) -> SuiteFile:
    """Reads a suite file. Raises TrainingError, naming file and field."""
    return read_json_file(path, SuiteFile, "suite file")
