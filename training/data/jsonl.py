"""Reads JSONL files, which have one JSON object per line."""

from collections.abc import Iterator
from pathlib import Path

from espalier_json import NotJsonError, parse_json
from training.data.lines import read_lines
from training.data.rows import Row
from training.errors import TrainingError


def read_jsonl(path: Path) -> Iterator[tuple[str, Row]]:
    """Yields ("FILE, line N", row) for each line of `path`; blank lines are skipped.

    Raises TrainingError, naming file and line, if the file is missing, a line is not a JSON object, or the text is not
    valid UTF-8.
    """
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except NotJsonError as error:
            raise TrainingError(f"{where}: {error}: correct the line or remove it.") from error
        if not isinstance(row, dict):
            raise TrainingError(
                f"{where}: a line must be a JSON object, not {type(row).__name__}: correct it or remove it."
            )
        yield where, row
