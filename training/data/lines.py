"""Reads the lines of a text file."""

from collections.abc import Iterator
from pathlib import Path

from training.errors import TrainingError


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields (line number from 1, line with its line end) of a UTF-8 file, without a byte order mark at its start.

    Raises TrainingError if the file is missing or not valid UTF-8, naming file and line.
    """
    if path.is_dir():
        raise TrainingError(f"{path} is a folder: name one of its JSONL, CSV or TSV files.")
    if not path.is_file():
        raise TrainingError(f"{path} does not exist: name a JSONL, CSV or TSV file.")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise TrainingError(
                    f"{path}, line {number}: not valid UTF-8 at byte {error.start} of the line: save the file as UTF-8."
                ) from error
            yield number, text.removeprefix("\ufeff") if number == 1 else text
