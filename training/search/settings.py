"""What a search is asked to do."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import TrainingError
from training.hyper_parameters import ClassWeights, HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.search.result import Role
from training.search.spec import Spec

FILE: Final = "search.json"


class Baseline(StrEnum):
    """full: all layers fine-tuned; vanilla: students that start from the pretrained encoder."""

    FULL = "full"
    VANILLA = "vanilla"


class Grid(BaseModel):
    """Which trials there are. A later call on the same folder may ask for others; those that are done stay."""

    teacher_layers: list[int] = Field(min_length=1)
    student_layers: list[int] = Field(min_length=1)
    learning_rates: list[float] = Field(min_length=1)
    full_learning_rates: list[float] = Field(default=[], description="of full fine-tuning; empty: learning_rates")
    seeds: list[int] = Field(min_length=1)
    baselines: list[Baseline] = []
    tolerance: float = Field(default=0.0, ge=0, description="points below the best teacher that still count as equal")

    def specs(self, role: Role, layers: list[int]) -> list[Spec]:
        """The trials of a role, fewest layers first.

        More layers learn faster per epoch: what falls behind shallower trials is not going to catch up, and it is the
        deep trials that cost most.
        """
        return [
            Spec(role, number, rate, seed)
            for rate in (role == "full" and self.full_learning_rates) or self.learning_rates
            for seed in self.seeds
            for number in sorted(set(layers))
        ]


class Settings(BaseModel):
    """search.json: what all trials of a folder have in common, so that their scores can be compared."""

    model_config = ConfigDict(extra="forbid")
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

    def hyper(self, spec: Spec) -> HyperParameters:
        """How a trial trains."""
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
    """Writes search.json, or checks that the one that is there says the same.

    Raises TrainingError, naming the first difference: the folder then holds another search.
    """
    path = folder / FILE
    wanted: dict[str, Any] = settings.model_dump(mode="json")
    with FileLock(folder / "locks" / "settings"):
        if not path.exists():
            staged = path.with_suffix(".part")
            staged.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
            staged.replace(path)
            return
        try:
            found = Settings.model_validate_json(path.read_bytes()).model_dump(mode="json")
        except ValidationError as error:
            raise TrainingError(f"{path} is damaged: choose another --output.") from error
    for name, value in wanted.items():
        if found[name] != value:
            raise TrainingError(
                f"{folder} holds a search with {name.replace('_', ' ')} {found[name]}, not {value}, and scores of the "
                "two cannot be compared: choose another --output, or ask for what was asked before."
            )
