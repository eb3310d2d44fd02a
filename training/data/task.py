"""Reads a whole task: its kind, its labels, its train and dev examples."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.data.example import Example
from training.data.halves import cut_in_half
from training.data.infer_kind import infer_kind
from training.data.label_map import apply_label_map, check_label_map
from training.data.labels import (
    IN_A_FOLDER,
    Located,
    check_labels,
    label_names,
    labels_of,
    warn_of_single_examples,
)
from training.data.rows import Row, to_example
from training.data.split import Split, find_split_file, read_split
from training.data.task_file import TaskFile, read_task_file
from training.errors import TrainingError
from training.kinds import Kind
from training.label_form import check_labels_form, check_plain

HUB_PREFIX = "hub:"


@dataclass(frozen=True)
class TaskData:
    """The data of one task.

    labels: class names, BIO tags (with "O"), or empty for regression. metric: the one in task.json, if any.
    sha256: of all rows, before any sampling; if task.json changes their labels, of all examples and labels.
    held: the half of dev that chooses nothing; empty unless dev was cut in two.
    """

    source: str
    kind: Kind
    labels: tuple[str, ...]
    train: list[Example]
    dev: list[Example]
    sha256: str
    metric: str | None = None
    held: list[Example] = field(default_factory=list)


def load_task(
    source: str,
    kind: Kind | None = None,
    train_rows: int | None = None,
    seed: int = 0,
    dev_rows: int | None = None,
    halve_dev: int | None = None,
) -> TaskData:
    """Reads a task from a folder or from the hub (`hub:NAME[:CONFIGURATION]`).

    The folder holds train and dev, each as .jsonl, .csv or .tsv, and may hold a task.json (see TaskFile).
    kind: None takes that of task.json, or infers it from the rows of train.
    train_rows, dev_rows: take a random sample of this many rows, drawn with `seed`; the labels are those of all rows.
    halve_dev: the seed that cuts dev (after sampling) in two; None does not cut it.
    Raises TrainingError, naming file and line, for unusable rows and unknown labels, and if task.json names a column or
    label that no row has. Emits a TrainingWarning for labels with only one training row.
    """
    task_file, splits = read_splits(source, kind)
    in_folder = not source.startswith(HUB_PREFIX)
    if not all(split.pairs for split in splits.values()):
        raise TrainingError(f"{source}: both train and dev need at least one row.")
    kind = kind or task_file.kind or infer_kind(splits["train"].rows(None), in_folder)
    rows = {name: split.rows(kind) for name, split in splits.items()}
    located = {name: located_examples(pairs, kind) for name, pairs in rows.items()}
    if task_file.redefines:
        located = _relabel(located, kind, task_file, Path(source))
    labels = _labels(located, kind, task_file.labels, source)
    examples = {name: [example for _, example in pairs] for name, pairs in located.items()}
    warn_of_single_examples(examples["train"], kind, source, in_folder)
    if task_file.redefines:
        sha256 = sha256_of([labels, *([_content(one) for one in examples[name]] for name in ("train", "dev"))])
    else:
        sha256 = sha256_of([row for _, row in rows["train"] + rows["dev"]])
    train, dev = sample(examples["train"], train_rows, seed), sample(examples["dev"], dev_rows, seed)
    held: list[Example] = []
    if halve_dev is not None:
        dev, held = cut_in_half(dev, halve_dev)
    if not source.startswith(HUB_PREFIX):
        source = str(Path(source).resolve())  # it is read again from other folders, for instance by `espalier report`
    check_form(labels, source)
    return TaskData(source, kind, labels, train, dev, sha256, task_file.metric, held)


def read_examples(path: Path, kind: Kind, labels: tuple[str, ...]) -> list[Example]:
    """The examples of one JSONL, CSV or TSV file, for a task whose labels are known.

    `fields` and `label_map` of a task.json beside the file apply to it.
    Raises TrainingError, naming file and line, for unusable rows, for labels not in `labels`, and for a file without
    rows.
    """
    split, task_file = read_split(path), read_task_file(path.parent)
    task_file.check_kind(kind, path.parent)
    located = located_examples(split.renamed(task_file).rows(kind), kind)
    located = apply_label_map(located, kind, task_file.label_map)
    if not located:
        raise TrainingError(f"{path} has no rows: at least one is needed.")
    check_labels(
        located,
        labels,
        kind,
        "is not one of the task's",
        "map it to one of them or to null with `label_map` in a task.json beside the file, or remove such rows",
    )
    return [example for _, example in located]


def read_splits(source: str, kind: Kind | None) -> tuple[TaskFile, dict[str, Split]]:
    """The task.json and the splits "train" and "dev", with the fields renamed to ours."""
    if source.startswith(HUB_PREFIX):
        from training.data.hub import read_hub  # `datasets` is slow to import, and most runs read files

        name = source.removeprefix(HUB_PREFIX)
        return TaskFile(), {split: Split(list(pairs)) for split, pairs in read_hub(name, kind).items()}
    folder = Path(source)
    if not folder.is_dir():
        raise TrainingError(
            f"{source} is not a folder: give a folder with train.jsonl and dev.jsonl, "
            f"or a hub data set as {HUB_PREFIX}NAME."
        )
    files = {split: find_split_file(folder, split) for split in ("train", "dev")}
    task_file = read_task_file(folder)
    splits = {split: read_split(file) for split, file in files.items()}
    task_file.check_columns([row for split in splits.values() for _, row in split.pairs], folder)
    return task_file, {name: split.renamed(task_file) for name, split in splits.items()}


def located_examples(pairs: Sequence[tuple[str, Row]], kind: Kind) -> list[Located]:
    """The rows as examples. pairs: ("FILE, line N", row). Raises TrainingError, naming the place, for unusable rows."""
    return [(where, to_example(row, kind, where)) for where, row in pairs]


def _relabel(
    located: dict[str, list[Located]], kind: Kind, task_file: TaskFile, folder: Path
) -> dict[str, list[Located]]:
    """The splits with the labels of task.json. Raises TrainingError if task.json does not fit them."""
    task_file.check_kind(kind, folder)
    check_label_map(task_file.label_map, [example for pairs in located.values() for _, example in pairs], kind, folder)
    mapped = {name: apply_label_map(pairs, kind, task_file.label_map) for name, pairs in located.items()}
    for name, pairs in mapped.items():
        if not pairs:
            raise TrainingError(f"{folder}: `label_map` in task.json drops every row of {name}: keep some.")
    return mapped


def _labels(
    located: dict[str, list[Located]], kind: Kind, declared: Sequence[str] | None, source: str
) -> tuple[str, ...]:
    """The declared labels, or those of train. Raises TrainingError if a row of either split has another label."""
    seen = label_names((example for _, example in located["train"]), kind)
    fewest = {Kind.PAIR_REGRESSION: 0, Kind.TAGGING: 1, Kind.MULTI_LABEL: 1}.get(kind, 2)
    if len(seen) < fewest:
        raise TrainingError(f"{source}: a task of kind {kind} needs at least {fewest} labels; train has {list(seen)}.")
    if kind is Kind.TAGGING and seen == ("O",):
        raise TrainingError(f"{source}: every tag of train is O, so there is no span to learn: check the tags.")
    if declared is None:
        check_labels(
            located["dev"],
            seen,
            kind,
            "does not occur in the training data",
            "add training rows that have it, or let the folder's task.json declare it in `labels`, "
            "or map it to another name or to null in `label_map`"
            if not source.startswith(HUB_PREFIX)
            else f"add training rows that have it, or declare, map or drop it {IN_A_FOLDER}",
        )
        return seen
    for pairs in located.values():
        check_labels(
            pairs,
            labels_of(declared, kind),
            kind,
            "is not among the `labels` of task.json",
            "add it there, or map it to another name or to null in `label_map`",
        )
    return labels_of(declared, kind)


def check_form(labels: Sequence[str], source: str) -> None:
    """Raises TrainingError now, and not after hours of training, if no checkpoint may have such labels or such data."""
    try:
        check_plain("the name of the data", source)
        check_labels_form(labels)
    except ValueError as error:
        raise TrainingError(f"{source}: {error}: rename it, labels also with `label_map` in a task.json.") from error


def sample(examples: list[Example], rows: int | None, seed: int) -> list[Example]:
    """A random sample of `rows` examples, in random order; all examples in their order if there are no more."""
    if rows is None or rows >= len(examples):
        return examples
    return random.Random(seed).sample(examples, rows)


def _content(example: Example) -> list[object]:
    return [example.text, example.text_pair, example.label]


def sha256_of(content: object) -> str:
    """The SHA-256 of rows, or of what else JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
