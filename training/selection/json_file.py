"""Reads JSON files that people write or move, checked field by field."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from espalier_json import NotJsonError, parse_json
from training.errors import TrainingError
from training.validation import first_problem

Model = TypeVar("Model", bound=BaseModel)


class _TwiceError(ValueError):
    """A key occurs twice in one object; json alone keeps the last one silently."""


def read_json_file(path: Path, model: type[Model], name: str) -> Model:
    """Reads `path` as `model`. name: what the file should be, for messages, such as "suite file".

    Raises TrainingError, naming file and field, if the file is missing, is not JSON, has a key twice, or does not fit
    the model.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is a folder, not a {name}." if path.is_dir() else f"{path} does not exist.")
    try:
        return model.model_validate(parse_json(path.read_bytes(), object_pairs_hook=_object))
    except NotJsonError as error:
        raise TrainingError(f"{path} is not a {name}: {error}.") from error
    except _TwiceError as error:
        raise TrainingError(f"{path}: the key {str(error)!r} occurs twice in one object: remove one.") from error
    except ValidationError as error:
        raise TrainingError(f"{path}: {first_problem(error)}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _TwiceError(key)
        content[key] = value
    return content
