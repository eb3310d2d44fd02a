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
from training.data.label_map import apply_label_map, relabel
from training.data.labels import check_labels, labels_of_task, warn_of_single_examples
from training.data.rows import located_examples
from training.data.source import absolute, is_folder, read_splits
from training.data.split import read_split
from training.data.task_file import read_task_file
from training.errors import TrainingError
from training.kinds import Kind
from training.label_form import check_labels_form, check_plain


@dataclass(frozen=True)
class TaskData:
    """The data of one task.

    source: where they were read, as an absolute path or `hub:NAME`.
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
    in_folder = is_folder(source)
    kind = kind or task_file.kind or infer_kind(splits["train"].rows(None), in_folder)
    rows = {name: split.rows(kind) for name, split in splits.items()}
    located = {name: located_examples(pairs, kind) for name, pairs in rows.items()}
    if task_file.redefines:
        located = relabel(located, kind, task_file, Path(source))
    labels = labels_of_task(located, kind, task_file.labels, source, in_folder)
    train, dev = ([example for _, example in located[name]] for name in ("train", "dev"))
    warn_of_single_examples(train, kind, source, in_folder)
    if task_file.redefines:
        sha256 = sha256_of([labels, *([_content(one) for one in examples] for examples in (train, dev))])
    else:
        sha256 = sha256_of([row for _, row in rows["train"] + rows["dev"]])
    train, dev = sample(train, train_rows, seed), sample(dev, dev_rows, seed)
    held: list[Example] = []
    if halve_dev is not None:
        dev, held = cut_in_half(dev, halve_dev)
    source = absolute(source)
    _check_form(labels, source)
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


def sample(examples: list[Example], rows: int | None, seed: int) -> list[Example]:
    """A random sample of `rows` examples, in random order; all examples in their order if there are no more."""
    if rows is None or rows >= len(examples):
        return examples
    return random.Random(seed).sample(examples, rows)


def sha256_of(content: object) -> str:
    """The SHA-256 of rows, or of what else JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _content(example: Example) -> list[object]:
    return [example.text, example.text_pair, example.label]


def _check_form(labels: Sequence[str], source: str) -> None:
    """Raises TrainingError now, and not after hours of training, if no checkpoint may have such labels or such data."""
    try:
        check_plain("the name of the data", source)
        check_labels_form(labels)
    except ValueError as error:
        raise TrainingError(f"{source}: {error}: rename it, labels also with `label_map` in a task.json.") from error
