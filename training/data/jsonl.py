"""Reads JSONL files, which have one JSON object per line."""

import json
from collections.abc import Iterator
from pathlib import Path

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
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise TrainingError(f"{where}: not valid JSON: {error.msg} at column {error.colno}.") from error
        if r"\ud" in line.lower():  # JSON can hold half a surrogate pair, which tokenizers reject
            _check_surrogates(row, where)
        if not isinstance(row, dict):
            raise TrainingError(f"{where}: a line must be a JSON object, not {type(row).__name__}.")
        yield where, row


def _check_surrogates(row: object, where: str) -> None:
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise TrainingError(f"{where}: not valid Unicode: a \\u escape is half a surrogate pair.") from error
