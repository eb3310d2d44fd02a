"""joint.json: the scores of MT-DNN, the joint training of all tasks. It lies beside the tasks' search results."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.figure import Figure
from training.result_file import read_result_file, write_result_file

FILE: Final = "joint.json"


class JointResult(BaseModel):
    """joint.json. A score is a task's dev metric in points, 0 to 100."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1] = 1
    encoder: str
    encoder_layers: int = Field(ge=1)
    full: dict[str, float] = Field(description="task -> score of the model trained on all tasks together")
    leave_one_out: dict[str, float] = Field(
        description="task -> score of a new head on the frozen model that was trained on the other tasks"
    )
    full_figures: dict[str, Figure] = Field(default_factory=dict, description="task -> figure of the full model")
    leave_one_out_figures: dict[str, Figure] = Field(default_factory=dict, description="task -> figure, left out")
    seconds: float = Field(ge=0, description="wall time of all trainings")
    processor_seconds: float = Field(default=0.0, ge=0, description="of all threads")


def write_joint_result(folder: Path, result: JointResult) -> None:
    """Replaces joint.json in `folder` at once."""
    write_result_file(folder / FILE, result)


def read_joint_result(folder: Path) -> JointResult | None:
    """Reads joint.json; returns None if it is missing. Raises TrainingError, naming the field, if it is damaged."""
    path = folder / FILE
    return read_result_file(path, JointResult, "train the joint model again") if path.is_file() else None
