"""The rows of one split (train or dev), as read from its file."""

from dataclasses import dataclass
from pathlib import Path

from training.data.jsonl import read_jsonl
from training.data.rows import Row
from training.data.tabular import DELIMITERS, is_table, parse_cells, read_table
from training.data.task_file import TaskFile
from training.errors import TrainingError
from training.kinds import Kind

SUFFIXES = (".jsonl", *DELIMITERS)


@dataclass(frozen=True)
class Split:
    """pairs: ("FILE, line N", row) for each row. is_table: every value is a text, still to be parsed for the kind."""

    pairs: list[tuple[str, Row]]
    is_table: bool = False

    def renamed(self, task_file: TaskFile) -> "Split":
        """Returns the split with the fields renamed to ours."""
        return Split([(where, task_file.rename(row)) for where, row in self.pairs], self.is_table)

    def rows(self, kind: Kind | None) -> list[tuple[str, Row]]:
        """The rows as JSONL would have them, for a task of that kind; None: to infer the kind from."""
        if not self.is_table:
            return self.pairs
        return [(where, parse_cells(row, kind, where)) for where, row in self.pairs]


def read_split(path: Path) -> Split:
    """Reads a .csv or .tsv file as a table and any other file as JSONL.

    Raises TrainingError, naming file and line, if the format is violated.
    """
    table = is_table(path)
    return Split(list(read_table(path) if table else read_jsonl(path)), table)


def find_split_file(folder: Path, split: str) -> Path:
    """The split's file in a task folder: SPLIT.jsonl, SPLIT.csv or SPLIT.tsv.

    Raises TrainingError if there is none or more than one.
    """
    files = [file for file in (folder / f"{split}{suffix}" for suffix in SUFFIXES) if file.is_file()]
    if not files:
        raise TrainingError(
            f"{folder / split}.jsonl is missing: a task folder holds train.jsonl and dev.jsonl (or .csv, or .tsv)."
        )
    if len(files) > 1:
        raise TrainingError(f"{' and '.join(map(str, files))} both exist, and each would be {split}: keep one.")
    return files[0]
