"""The settings of a folder's trainings, recorded in a JSON file: only scores of equal settings can be compared."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from training.atomic_write import replace_file
from training.errors import TrainingError

# Of data and encoder the hashes are compared: a folder that was moved holds the same rows and weights.
_LOCATIONS = ("data", "encoder")


class RecordedSettings(BaseModel):
    """What all trainings of one folder have in common."""

    model_config = ConfigDict(extra="forbid")

    def named(self) -> dict[str, Any]:
        """Returns each setting under the name that messages use."""
        return {name.replace("_", " "): value for name, value in self.model_dump(mode="json").items()}


def record_settings(path: Path, settings: RecordedSettings) -> None:
    """Writes the settings to `path`, replacing an earlier file at once."""
    replace_file(path, settings.model_dump_json(indent=2) + "\n", staged_in=path.parent)


def check_recorded_settings(path: Path, settings: RecordedSettings, training: str) -> None:
    """Compares the settings with those recorded in `path`.

    training: what the folder holds, for the message, such as "a search". Raises TrainingError, naming the first
    difference, if they differ, or if the file is missing or damaged.
    """
    try:
        recorded = type(settings).model_validate_json(path.read_bytes()).named()
    except (FileNotFoundError, ValidationError) as error:
        raise TrainingError(f"{path} is missing or damaged: choose another --output.") from error
    for name, value in settings.named().items():
        if name not in _LOCATIONS and recorded[name] != value:
            raise TrainingError(
                f"{path.parent} holds {training} with {name} {recorded[name]}, not {value}, and scores of the two "
                f"cannot be compared: choose another --output, or use the settings in {path}."
            )
