"""Reads a task whose rows need no labels, because a model that answers them is at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.example import Example, UnlabelledExample
from training.data.label_map import apply_label_map, check_label_map
from training.data.labels import Located, all_names, check_labels
from training.data.rows import Row
from training.data.split import Split
from training.data.task import HUB_PREFIX, located_examples, read_splits, sha256_of
from training.data.task_file import TaskFile
from training.errors import TrainingError
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
        if not self.task_file.redefines:
            return located
        folder = Path(self.source)
        self.task_file.check_kind(kind, folder)
        label_map = self.task_file.label_map
        labelled = [one for pairs in located.values() for _, one in pairs if not isinstance(one, UnlabelledExample)]
        check_label_map(label_map, labelled, kind, folder)
        mapped = {name: _map(pairs, kind, self.task_file) for name, pairs in located.items()}
        for name, pairs in mapped.items():
            if not pairs:
                raise TrainingError(f"{folder}: `label_map` in task.json drops every row of {name}: keep some.")
        return mapped


def read_partly_labelled(source: str, kind: Kind | None = None) -> PartlyLabelled:
    """Reads a task folder, or `hub:NAME[:CONFIGURATION]`; kind: decides which columns of the hub's data are read.

    Raises TrainingError as load_task does, except that no row needs a label.
    """
    task_file, splits = read_splits(source, kind)
    if not all(split.pairs for split in splits.values()):
        raise TrainingError(f"{source}: both train and dev need at least one row.")
    is_folder = not source.startswith(HUB_PREFIX)
    return PartlyLabelled(str(Path(source).resolve()) if is_folder else source, task_file, splits)


def names_in(located: Sequence[Located], kind: Kind) -> list[str]:
    """The names that the data itself gives, sorted."""
    return all_names(_labelled(located), kind)


def check_given_labels(located: Sequence[Located], labels: Sequence[str], kind: Kind, problem: str, fix: str) -> None:
    """check_labels for the rows that have a label of their own."""
    given = [(where, example) for where, example in located if not isinstance(example, UnlabelledExample)]
    check_labels(given, labels, kind, problem, fix)


def _labelled(located: Sequence[Located]) -> list[Example]:
    return [example for _, example in located if not isinstance(example, UnlabelledExample)]


def _map(pairs: Sequence[Located], kind: Kind, task_file: TaskFile) -> list[Located]:
    mapped: list[Located] = []
    for where, example in pairs:
        is_unlabelled = isinstance(example, UnlabelledExample)
        mapped += (
            [(where, example)] if is_unlabelled else apply_label_map([(where, example)], kind, task_file.label_map)
        )
    return mapped


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
