"""result.json: the result of one task's search, which `select` and `report` read."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.errors import TrainingError
from training.kinds import Kind
from training.result_file import read_result_file, write_result_file

FILE: Final = "result.json"

# teacher: the top L layers fine-tuned; student: distilled from the teacher's lowest fine-tuned layers;
# full: every layer fine-tuned (baseline); vanilla: distilled from the pretrained encoder's layers instead (baseline).
Role = Literal["teacher", "student", "full", "vanilla"]
State = Literal["finished", "pruned", "failed"]


class Trial(BaseModel):
    """One training. Scores are dev metrics in points, 0 to 100."""

    model_config = ConfigDict(extra="forbid")
    role: Role
    layers: int = Field(ge=1, description="L of a teacher, l of a student, N of full fine-tuning")
    learning_rate: float
    seed: int
    state: State
    epochs: dict[int, float] = Field(description="the task's metric after each epoch that was scored")
    best_epoch: int | None = None
    score: float | None = Field(default=None, description="the task's metric at best_epoch; None unless finished")
    scores: dict[str, float] = Field(default_factory=dict, description="all metrics at best_epoch")
    seconds: float = Field(ge=0, description="wall time, evaluation included")
    checkpoint: str | None = Field(default=None, description="its folder, relative to result.json; None for a baseline")
    message: str = Field(default="", description="the reason for a failure")


class Cost(BaseModel):
    """Wall seconds of the parts of a search. A trial that was killed and run again counts once."""

    model_config = ConfigDict(extra="forbid")
    hidden_states: float = Field(ge=0, description="computing and storing the frozen layers' outputs")
    teachers: float = Field(ge=0)
    teacher_logits: float = Field(ge=0)
    students: float = Field(ge=0)
    full_fine_tuning: float | None = Field(default=None, description="one full fine-tuning; None without that baseline")

    @property
    def search(self) -> float:
        """The whole search without the baselines."""
        return self.hidden_states + self.teachers + self.teacher_logits + self.students

    @property
    def ratio(self) -> float | None:
        """The cost of the search in full fine-tunings; None if there is no such baseline."""
        return self.search / self.full_fine_tuning if self.full_fine_tuning else None


class SearchResult(BaseModel):
    """result.json."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1] = 1
    task: str
    kind: Kind
    metric: str
    labels: list[str]
    encoder: str
    encoder_layers: int
    data: str
    data_sha256: str
    train_rows: int
    dev_rows: int
    teacher: int | None = Field(
        default=None, description="index in `trials` of the chosen teacher; None if the search is unfinished"
    )
    trials: list[Trial]
    cost: Cost

    def finished(self, role: Role) -> list[Trial]:
        """Returns the finished trials of a role, ordered by layers."""
        trials = [trial for trial in self.trials if trial.role == role and trial.state == "finished"]
        return sorted(trials, key=lambda trial: trial.layers)

    def best(self, role: Role) -> dict[int, Trial]:
        """Returns, for each number of layers, the finished trial of a role with the highest score."""
        best: dict[int, Trial] = {}
        for trial in self.finished(role):
            if trial.layers not in best or (trial.score or 0.0) > (best[trial.layers].score or 0.0):
                best[trial.layers] = trial
        return best


def write_result(folder: Path, result: SearchResult) -> None:
    """Replaces result.json in `folder` at once."""
    write_result_file(folder / FILE, result)


def read_result(folder: Path) -> SearchResult:
    """Reads result.json. Raises TrainingError if it is missing, or damaged (naming the field)."""
    path = folder / FILE
    if not path.is_file():
        raise TrainingError(f"{folder} holds no search result ({FILE} is missing): run `espalier search` first.")
    return read_result_file(path, SearchResult, "run `espalier search` again")
