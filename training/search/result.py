"""result.json: the result of one task's search, which `select` and `report` read."""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.errors import TrainingError
from training.kinds import Kind
from training.result_file import read_result_file, write_result_file

FILE: Final = "result.json"

# teacher: the top L layers fine-tuned; student: distilled from the teacher's lowest fine-tuned layers;
# full: every layer fine-tuned (baseline); vanilla: distilled from the pretrained encoder's layers instead (baseline);
# lora: adapters in every layer (baseline).
Role = Literal["teacher", "student", "full", "vanilla", "lora"]
State = Literal["finished", "pruned", "failed"]


class Trial(BaseModel):
    """One training. Scores are metrics in points, 0 to 100, on the dev rows that choose."""

    model_config = ConfigDict(extra="forbid")
    role: Role
    layers: int = Field(ge=1, description="L of a teacher, l of a student, N of full fine-tuning")
    learning_rate: float
    seed: int
    tap: int | None = Field(default=None, ge=1, description="of a student at another tap than its teacher's")
    total_epochs: int | None = Field(default=None, ge=1, description="of a longer run; None: the epochs of the search")
    state: State
    epochs: dict[int, float] = Field(description="the task's metric after each epoch that was scored")
    best_epoch: int | None = None
    score: float | None = Field(default=None, description="the task's metric at best_epoch; None unless finished")
    scores: dict[str, float] = Field(default_factory=dict, description="all metrics at best_epoch")
    held_scores: dict[str, float] = Field(
        default_factory=dict, description="all metrics on the half of dev that chose nothing; empty if dev is not cut"
    )
    draws: list[float] = Field(
        default_factory=list,
        description="the task's metric on rows drawn again (bootstrap.py): of the held half if there is one",
    )
    seconds: float = Field(ge=0, description="wall time, evaluation included")
    processor_seconds: float | None = Field(default=None, ge=0, description="of all threads")
    checkpoint: str | None = Field(default=None, description="its folder, relative to result.json; None if not kept")
    message: str = Field(default="", description="the reason for a failure")


class CostParts(BaseModel):
    """Seconds of the parts of a search. A trial that was killed and run again counts once."""

    model_config = ConfigDict(extra="forbid")
    hidden_states: float = Field(ge=0, description="computing and storing the frozen layers' outputs")
    teachers: float = Field(ge=0)
    teacher_logits: float = Field(ge=0)
    students: float = Field(ge=0, description="of the teacher's own tap")
    other_taps: float = Field(default=0.0, ge=0, description="students of other taps")
    longer_runs: float = Field(default=0.0, ge=0, description="teachers and students of more epochs: --double-until")
    full_fine_tuning: float | None = Field(
        default=None, description="one full fine-tuning with the epochs of the best one; None without that baseline"
    )

    @property
    def search(self) -> float:
        """The whole search without the baselines."""
        parts = (self.hidden_states, self.teachers, self.teacher_logits, self.students)
        return sum(parts) + self.other_taps + self.longer_runs

    @property
    def ratio(self) -> float | None:
        """The cost of the search in full fine-tunings; None if there is no such baseline."""
        return self.search / self.full_fine_tuning if self.full_fine_tuning else None


class Cost(CostParts):
    """Wall seconds, and processor seconds, which other work on the machine spoils less."""

    processor: CostParts | None = Field(default=None, description="None if a trial of an earlier Espalier has none")
    full_fine_tunings: float | None = Field(
        default=None, description="the whole search in full fine-tunings of this task: of processor seconds if known"
    )

    @model_validator(mode="after")
    def _in_full_fine_tunings(self) -> Self:
        self.full_fine_tunings = (self.processor or self).ratio
        return self

    @property
    def fairest(self) -> CostParts:
        """The processor seconds if they are known, else the wall seconds."""
        return self.processor or self


class SearchResult(BaseModel):
    """result.json."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1] = 1
    task: str
    kind: Kind
    metric: str
    labels: list[str]
    encoder: str
    encoder_layers: int = Field(ge=1)
    data: str
    data_sha256: str
    train_rows: int
    dev_rows: int = Field(description="the rows that choose")
    held_rows: int = Field(default=0, description="the rows of dev that choose nothing and give the figures")
    constant_score: float | None = Field(
        default=None, description="of the best single answer for all rows that choose; None from an earlier Espalier"
    )
    epochs: int | None = Field(default=None, description="of each trial that says no other number")
    to_do: int | None = Field(default=None, description="trials that were asked for and have not ended; 0 at the end")
    teacher: int | None = Field(
        default=None, description="index in `trials` of the chosen teacher; None if the search is unfinished"
    )
    trials: list[Trial]
    cost: Cost

    @model_validator(mode="after")
    def _fits_its_encoder(self) -> Self:
        for trial in self.trials:
            if trial.layers > self.encoder_layers:
                raise ValueError(f"a {trial.role} has {trial.layers} layers, the encoder only {self.encoder_layers}")
        return self

    def finished(self, role: Role) -> list[Trial]:
        """Returns the finished trials of a role, ordered by layers; of students those of the teacher's own tap."""
        trials = [
            trial for trial in self.trials if trial.role == role and trial.state == "finished" and trial.tap is None
        ]
        return sorted(trials, key=lambda trial: trial.layers)

    def best(self, role: Role) -> dict[int, Trial]:
        """Returns, for each number of layers, the finished trial of a role with the highest score."""
        best: dict[int, Trial] = {}
        for trial in self.finished(role):
            if trial.layers not in best or (trial.score or 0.0) > (best[trial.layers].score or 0.0):
                best[trial.layers] = trial
        return best

    def best_of_other_taps(self) -> dict[tuple[int, int], Trial]:
        """Returns, for each tap and l of the students at other taps, the finished one with the highest score."""
        best: dict[tuple[int, int], Trial] = {}
        for trial in self.trials:
            if trial.tap is None or trial.state != "finished":
                continue
            place = (trial.tap, trial.layers)
            if place not in best or (trial.score or 0.0) > (best[place].score or 0.0):
                best[place] = trial
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
