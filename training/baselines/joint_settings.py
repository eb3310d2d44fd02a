"""What a joint training is asked to do."""

from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from training.errors import TrainingError
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.prepared_task import PreparedTask

FILE: Final = "settings.json"


class TaskSettings(BaseModel):
    """What decides one task's score."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    metric: str
    data_sha256: str
    train_rows: int
    dev_rows: int

    @classmethod
    def of(cls, task: PreparedTask) -> Self:
        """A task's own."""
        data = task.data
        return cls(
            kind=task.kind,
            metric=task.metric,
            data_sha256=data.sha256,
            train_rows=len(data.train),
            dev_rows=len(data.dev),
        )


class JointSettings(BaseModel):
    """settings.json: what all scores of one joint.json have in common, so that they can stand beside each other."""

    model_config = ConfigDict(extra="forbid")
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

    @property
    def hyper(self) -> HyperParameters:
        """How the joint model trains."""
        return self._hyper(self.learning_rate)

    @property
    def head_hyper(self) -> HyperParameters:
        """How the head of a task that was left out trains."""
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
        """Each setting under the name that a message calls it."""
        content = self.model_dump(mode="json")
        tasks: dict[str, dict[str, Any]] = content.pop("tasks")
        named = {"tasks": ", ".join(sorted(tasks)), **content}
        named |= {f"{name} of {task}": value for task, own in tasks.items() for name, value in own.items()}
        return {name.replace("_", " "): value for name, value in named.items()}


def write_joint_settings(folder: Path, settings: JointSettings) -> None:
    """Replaces settings.json in `folder` by one atomic rename."""
    path = folder / FILE
    staged = path.with_suffix(".part")
    staged.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")
    staged.replace(path)


def check_joint_settings(folder: Path, settings: JointSettings) -> None:
    """Raises TrainingError if `folder`'s settings.json says something else, naming the first difference."""
    path = folder / FILE
    try:
        found = JointSettings.model_validate_json(path.read_bytes()).named()
    except (FileNotFoundError, ValidationError) as error:
        raise TrainingError(f"{path} is missing or damaged: choose another --output.") from error
    for name, value in settings.named().items():
        if found[name] != value:
            raise TrainingError(
                f"{path} is of a joint training with {name} {found[name]}, not {value}, and scores of the two cannot "
                "be compared: choose another --output, or ask for what was asked before."
            )
