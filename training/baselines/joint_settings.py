"""The settings of a joint training."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel, ConfigDict

from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.recorded_settings import RecordedSettings
from training.result_file import read_result_file

if TYPE_CHECKING:  # it loads torch, which a reader of settings does not need
    from training.prepared_task import PreparedTask

# A hidden folder beside joint.json, for settings and weights: readers of a folder of results skip it.
HOME: Final = ".joint"
FILE: Final = "settings.json"


class TaskSettings(BaseModel):
    """The settings that are one task's own."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    metric: str
    data_sha256: str
    train_rows: int
    dev_rows: int

    @classmethod
    def of(cls, task: "PreparedTask") -> Self:
        """Returns the settings of a prepared task."""
        data = task.data
        return cls(
            kind=task.kind,
            metric=task.metric,
            data_sha256=data.sha256,
            train_rows=len(data.train),
            dev_rows=len(data.dev),
        )


class JointSettings(RecordedSettings):
    """settings.json: what all scores of one joint.json have in common, so that they can be compared."""

    tasks: dict[str, TaskSettings]
    encoder: str
    encoder_fingerprint: str
    max_length: int
    batch_size: int
    first_epoch: int
    epochs: int
    learning_rate: float
    head_learning_rate: float
    precision: TrainingPrecision
    seed: int
    halve_dev: int | None = None

    @property
    def hyper(self) -> HyperParameters:
        """The hyper-parameters of the joint model."""
        return self._hyper(self.learning_rate)

    @property
    def head_hyper(self) -> HyperParameters:
        """The hyper-parameters of a left-out task's head."""
        return self._hyper(self.head_learning_rate)

    def _hyper(self, learning_rate: float) -> HyperParameters:
        return HyperParameters(
            learning_rate=learning_rate,
            batch_size=self.batch_size,
            first_epoch=self.first_epoch,
            epochs=self.epochs,
            max_length=self.max_length,
            precision=self.precision,
            seed=self.seed,
        )

    def named(self) -> dict[str, Any]:
        """Returns each setting under the name that messages use; those of a task as "train rows of rte"."""
        named = super().named()
        tasks: dict[str, dict[str, Any]] = named.pop("tasks")
        own = {f"{name.replace('_', ' ')} of {task}": value for task, of in tasks.items() for name, value in of.items()}
        return {"tasks": ", ".join(sorted(tasks)), **named, **own}


def read_joint_settings(folder: Path) -> JointSettings | None:
    """Reads the settings of the joint training whose joint.json is in `folder`; None if they are not there.

    Raises TrainingError, naming the field, if they are damaged.
    """
    path = folder / HOME / FILE
    return read_result_file(path, JointSettings, "train the joint model again") if path.is_file() else None
