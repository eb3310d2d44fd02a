"""The JSON files that trainings write their results to: replaced as a whole, checked field by field."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from espalier_json import NotJsonError, parse_json
from training.atomic_write import replace_file
from training.errors import TrainingError
from training.validation import first_problem

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
        return model.model_validate(parse_json(path.read_bytes()))
    except NotJsonError as error:
        raise TrainingError(f"{path} is damaged ({error}): {advice}.") from error
    except ValidationError as error:
        raise TrainingError(f"{path}: {first_problem(error).removesuffix('.')}: {advice}.") from error
