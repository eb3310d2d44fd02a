"""The settings of a search: what its trials have in common (Settings), and which trials there are (Grid)."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from filelock import FileLock
from pydantic import BaseModel, Field

from training.hyper_parameters import ClassWeights, HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.recorded_settings import RecordedSettings, check_recorded_settings, record_settings
from training.search.result import Role
from training.search.spec import Spec

FILE: Final = "search.json"


class Baseline(StrEnum):
    """full: all layers are fine-tuned; vanilla: students start from the pretrained encoder."""

    FULL = "full"
    VANILLA = "vanilla"


class Grid(BaseModel):
    """The trials to do. A later call on the same folder may ask for others; trials that are done stay."""

    teacher_layers: list[int] = Field(min_length=1)
    student_layers: list[int] = Field(min_length=1)
    learning_rates: list[float] = Field(min_length=1)
    full_learning_rates: list[float] = Field(default=[], description="for full fine-tuning; empty: learning_rates")
    seeds: list[int] = Field(min_length=1)
    baselines: list[Baseline] = []
    tolerance: float = Field(default=0.0, ge=0, description="points below the best teacher that still count as equal")

    def specs(self, role: Role, layers: list[int]) -> list[Spec]:
        """Returns the trials of a role, fewest layers first.

        More layers learn faster per epoch, so a deep trial that falls behind a shallow one does not catch up, and deep
        trials cost most.
        """
        return [
            Spec(role, number, rate, seed)
            for rate in (role == "full" and self.full_learning_rates) or self.learning_rates
            for seed in self.seeds
            for number in sorted(set(layers))
        ]


class Settings(RecordedSettings):
    """search.json: what all trials of a folder have in common, so that their scores can be compared."""

    task: str
    kind: Kind
    metric: str
    data: str
    data_sha256: str
    train_rows: int
    dev_rows: int
    encoder: str
    encoder_fingerprint: str
    max_length: int
    batch_size: int
    accumulation: int
    first_epoch: int
    epochs: int
    patience: int
    class_weights: ClassWeights
    precision: TrainingPrecision
    prune: bool
    original: str | None = Field(default=None, description="SHA-256 of the model that the branches learn from")

    def hyper(self, spec: Spec) -> HyperParameters:
        """Returns the hyper-parameters of a trial."""
        return HyperParameters(
            learning_rate=spec.learning_rate,
            seed=spec.seed,
            max_length=self.max_length,
            batch_size=self.batch_size,
            accumulation=self.accumulation,
            first_epoch=self.first_epoch,
            epochs=self.epochs,
            patience=self.patience,
            class_weights=self.class_weights,
            precision=self.precision,
        )


def bind_settings(folder: Path, settings: Settings) -> None:
    """Records the settings in the folder's search.json, or compares them with those recorded there.

    Raises TrainingError, naming the first difference, if the folder holds a search with other settings.
    """
    path = folder / FILE
    with FileLock(folder / "locks" / "settings"):
        if path.exists():
            check_recorded_settings(path, settings, "a search")
        else:
            record_settings(path, settings)
