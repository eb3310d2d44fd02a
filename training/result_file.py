"""The JSON files in which trainings leave their results: replaced whole, checked field by field."""

import json
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from training.errors import TrainingError

Result = TypeVar("Result", bound=BaseModel)


def write_result_file(path: Path, result: BaseModel) -> None:
    """Replaces the file by one atomic rename."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    ) as file:
        file.write(result.model_dump_json(indent=2) + "\n")
    staged = Path(file.name)
    staged.chmod(0o644)
    staged.replace(path)


def read_result_file(path: Path, model: type[Result], advice: str) -> Result:
    """Reads a file that is there. Raises TrainingError if it is damaged, naming the field; advice: what to do then."""
    try:
        return model.model_validate(json.loads(path.read_bytes()))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TrainingError(f"{path} is damaged (it is no JSON object): {advice}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
