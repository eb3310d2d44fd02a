"""The rows of one split, as its file has them."""

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
    """pairs: ("FILE, line N", row) of each row. is_table: every value is a text, which the kind says how to read."""

    pairs: list[tuple[str, Row]]
    is_table: bool = False

    def renamed(self, task_file: TaskFile) -> "Split":
        """The same with our names for the fields."""
        return Split([(where, task_file.rename(row)) for where, row in self.pairs], self.is_table)

    def rows(self, kind: Kind | None) -> list[tuple[str, Row]]:
        """The rows as JSONL would have them, for a task of that kind; None: for telling the kind."""
        if not self.is_table:
            return self.pairs
        return [(where, parse_cells(row, kind, where)) for where, row in self.pairs]


def read_split(path: Path) -> Split:
    """Reads a CSV or TSV file, known by its suffix; any other file is JSONL.

    Raises TrainingError, naming file and line, for what the file's form forbids.
    """
    table = is_table(path)
    return Split(list(read_table(path) if table else read_jsonl(path)), table)


def find_split_file(folder: Path, split: str) -> Path:
    """The one file of that split in a task folder, SPLIT.jsonl, SPLIT.csv or SPLIT.tsv.

    Raises TrainingError if there is none, or more than one.
    """
    files = [file for file in (folder / f"{split}{suffix}" for suffix in SUFFIXES) if file.is_file()]
    if not files:
        raise TrainingError(
            f"{folder / split}.jsonl is missing: a task folder holds train.jsonl and dev.jsonl (or .csv, or .tsv)."
        )
    if len(files) > 1:
        raise TrainingError(f"{' and '.join(map(str, files))} are both there: keep one, since each would be {split}.")
    return files[0]
