"""joint.json: what MT-DNN, the joint training of all tasks, reached; it stands beside the tasks' search results."""

import json
import tempfile
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import TrainingError

FILE: Final = "joint.json"


class JointResult(BaseModel):
    """joint.json. The scores are each task's dev metric in points, 0 to 100."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1] = 1
    encoder: str
    encoder_layers: int = Field(ge=1)
    full: dict[str, float] = Field(description="task -> score of the model trained on all tasks together")
    leave_one_out: dict[str, float] = Field(
        description="task -> score of a new head on the frozen model that was trained on the other tasks"
    )
    seconds: float = Field(ge=0, description="wall time of all its trainings")


def write_joint_result(folder: Path, result: JointResult) -> None:
    """Replaces joint.json in `folder` by one atomic rename."""
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{FILE}.", delete=False, encoding="utf-8") as file:
        file.write(result.model_dump_json(indent=2) + "\n")
    staged = Path(file.name)
    staged.chmod(0o644)
    staged.replace(folder / FILE)


def read_joint_result(folder: Path) -> JointResult | None:
    """Reads joint.json; None if there is none. Raises TrainingError if it is damaged, naming the field."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return JointResult.model_validate(json.loads(path.read_bytes()))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TrainingError(f"{path} is damaged (it is no JSON object): train the joint model again.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
