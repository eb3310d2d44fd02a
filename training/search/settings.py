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
    """full: all layers are fine-tuned; vanilla: students start from the pretrained encoder; lora: adapters."""

    FULL = "full"
    VANILLA = "vanilla"
    LORA = "lora"


class Grid(BaseModel):
    """The trials to do. A later call on the same folder may ask for others; trials that are done stay."""

    teacher_layers: list[int] = Field(min_length=1)
    student_layers: list[int] = Field(min_length=1)
    learning_rates: list[float] = Field(min_length=1)
    full_learning_rates: list[float] = Field(default=[], description="for full fine-tuning; empty: learning_rates")
    lora_learning_rates: list[float] = Field(default=[], description="for adapters; empty: learning_rates")
    rate_first: bool = Field(default=False, description="choose the rate with one number of layers, for the others too")
    student_taps: list[int] = Field(default=[], description="taps of students besides their teacher's own")
    double_until: float | None = Field(default=None, gt=0, description="points that twice the epochs must gain")
    most_epochs: int = Field(default=100, ge=1, description="of a longer run, a student's with its teacher's")
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
            for rate in self.rates(role)
            for seed in self.seeds
            for number in sorted(set(layers))
        ]

    def rates(self, role: Role) -> list[float]:
        """Returns the learning rates to try for a role."""
        own = {"full": self.full_learning_rates, "lora": self.lora_learning_rates}
        return own.get(role) or self.learning_rates


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
    halve_dev: int | None = None
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
            epochs=spec.total_epochs or self.epochs,
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
