"""The JSON files that trainings write their results to: replaced as a whole, checked field by field."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from training.atomic_write import replace_file
from training.errors import TrainingError

Result = TypeVar("Result", bound=BaseModel)


def write_result_file(path: Path, result: BaseModel) -> None:
    """Writes the file, or replaces it as a whole, as replace_file does."""
    replace_file(path, result.model_dump_json(indent=2) + "\n", staged_in=path.parent)


def read_result_file(path: Path, model: type[Result], advice: str) -> Result:
    """Reads a file that exists.

    advice: the end of the error message, for example "run `espalier search` again".
    Raises TrainingError if the file is damaged, naming the field.
    """
    try:
        return model.model_validate(json.loads(path.read_bytes()))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TrainingError(f"{path} is damaged (it is not a JSON object): {advice}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
