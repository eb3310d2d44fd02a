"""Reads a task whose rows need no labels, because a model that answers them is at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.example import Located, UnlabelledExample
from training.data.label_map import relabel
from training.data.labels import all_names, check_labels
from training.data.rows import Row, located_examples
from training.data.source import absolute, read_splits
from training.data.split import Split
from training.data.task import sha256_of
from training.data.task_file import TaskFile
from training.kinds import Kind

_PLACEHOLDER = "unlabelled"


@dataclass(frozen=True)
class PartlyLabelled:
    """The rows of train and dev as read, their fields renamed to ours."""

    source: str
    task_file: TaskFile
    splits: dict[str, Split]

    @property
    def rows(self) -> list[Row]:
        """The rows of train. In a table every value is a text."""
        return [row for _, row in self.splits["train"].pairs]

    @property
    def sha256(self) -> str:
        """Of all rows and of what task.json changes in them."""
        rows = [row for split in ("train", "dev") for _, row in self.splits[split].pairs]
        return sha256_of([self.task_file.model_dump(mode="json"), rows] if self.task_file.redefines else rows)

    def examples(self, kind: Kind) -> dict[str, list[Located]]:
        """The examples of train and dev, with the names after `label_map`; those without a label as UnlabelledExample.

        A row of a tagging task may have `text` instead of `tokens`; its words are the pieces between white space.
        Raises TrainingError, naming file and line, for unusable rows, and if task.json does not fit them.
        """
        located = {name: _examples(split, kind) for name, split in self.splits.items()}
        return relabel(located, kind, self.task_file, Path(self.source)) if self.task_file.redefines else located


def read_partly_labelled(source: str, kind: Kind | None = None) -> PartlyLabelled:
    """Reads a task folder, or `hub:NAME[:CONFIGURATION]`; kind: decides which columns of the hub's data are read.

    Raises TrainingError as load_task does, except that no row needs a label.
    """
    task_file, splits = read_splits(source, kind)
    return PartlyLabelled(absolute(source), task_file, splits)


def names_in(located: Sequence[Located], kind: Kind) -> list[str]:
    """The names that the data itself gives, sorted."""
    return all_names((example for _, example in _given(located)), kind)


def check_given_labels(located: Sequence[Located], labels: Sequence[str], kind: Kind, problem: str, fix: str) -> None:
    """check_labels for the rows that have a label of their own."""
    check_labels(_given(located), labels, kind, problem, fix)


def _given(located: Sequence[Located]) -> list[Located]:
    """The examples that have a label of their own."""
    return [(where, example) for where, example in located if not isinstance(example, UnlabelledExample)]


def _examples(split: Split, kind: Kind) -> list[Located]:
    """Rows without a label get a placeholder that the readers take, and are marked afterwards."""
    has_label = [_has_label(row, kind) for _, row in split.pairs]
    filled = [
        (where, row if given else _with_placeholder(row, kind, split.is_table))
        for (where, row), given in zip(split.pairs, has_label, strict=True)
    ]
    located = located_examples(Split(filled, split.is_table).rows(kind), kind)
    return [
        (where, example if given else UnlabelledExample(**vars(example)))
        for (where, example), given in zip(located, has_label, strict=True)
    ]


def _has_label(row: Row, kind: Kind) -> bool:
    fields = ("tags",) if kind is Kind.TAGGING else ("label", "intent") if "text" not in row else ("label",)
    given = [value for value in (row.get(field) for field in fields) if value is not None]
    if kind is Kind.MULTI_LABEL:
        return bool(given)  # an empty cell of a table says that no name applies
    return any(not isinstance(value, str) or bool(value.strip()) for value in given)


def _with_placeholder(row: Row, kind: Kind, is_table: bool) -> Row:
    if kind is Kind.TAGGING:
        return _with_tags(row, is_table)
    label = {Kind.PAIR_REGRESSION: 0.0, Kind.MULTI_LABEL: []}.get(kind, _PLACEHOLDER)
    return {**row, "label": ("0" if kind is Kind.PAIR_REGRESSION else _PLACEHOLDER) if is_table else label}


def _with_tags(row: Row, is_table: bool) -> Row:
    """The row with its words and an O for each. One without words stays as it is, and its reader says what is wrong."""
    words = row.get("tokens")
    if words is None and isinstance(row.get("text"), str):
        words = row["text"].split()
    elif is_table and isinstance(words, str):
        words = [word for word in words.split(" ") if word]  # as parse_cells
    if not isinstance(words, list):
        return row
    tags = ["O"] * len(words)
    return {**row, "tokens": " ".join(words) if is_table else words, "tags": " ".join(tags) if is_table else tags}
