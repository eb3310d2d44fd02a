"""A whole task: its kind, its labels, its train and dev examples."""

import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.example import Example
from training.data.jsonl import read_jsonl
from training.data.rows import Row, infer_kind, to_example
from training.errors import TrainingError
from training.kinds import Kind

HUB_PREFIX = "hub:"


@dataclass(frozen=True)
class TaskData:
    """The data of one task. labels: class names, BIO tags (with "O"), or empty for regression."""

    source: str
    kind: Kind
    labels: tuple[str, ...]
    train: list[Example]
    dev: list[Example]
    sha256: str


def load_task(source: str, kind: Kind | None = None, train_rows: int | None = None, seed: int = 0) -> TaskData:
    """Reads a task from a folder with train.jsonl and dev.jsonl, or from the hub (`hub:NAME[:CONFIGURATION]`).

    kind: None infers it from the first row. train_rows: train on a random sample of that many rows (by `seed`).
    Raises TrainingError for unusable rows, naming file and line, and for a dev label that no train row has.
    """
    splits = _splits(source)
    train_pairs = list(splits["train"])
    dev_pairs = list(splits["dev"])
    if not train_pairs or not dev_pairs:
        raise TrainingError(f"{source}: both train and dev need at least one row.")
    if kind is None:
        kind = infer_kind(train_pairs[0][1], train_pairs[0][0])
    train = [to_example(row, kind, where) for where, row in train_pairs]
    labels = label_names(train, kind)
    fewest = {Kind.PAIR_REGRESSION: 0, Kind.TAGGING: 1, Kind.MULTI_LABEL: 1}.get(kind, 2)
    if len(labels) < fewest:
        raise TrainingError(
            f"{source}: a task of kind {kind} needs at least {fewest} labels; train has {list(labels)}."
        )
    dev = [to_example(row, kind, where) for where, row in dev_pairs]
    check_labels(dev, labels, kind, [where for where, _ in dev_pairs])
    sha256 = hashlib.sha256(json.dumps([row for _, row in train_pairs + dev_pairs]).encode()).hexdigest()
    if train_rows is not None and train_rows < len(train):
        train = random.Random(seed).sample(train, train_rows)
    return TaskData(source, kind, labels, train, dev, sha256)


def read_examples(path: Path, kind: Kind, labels: tuple[str, ...]) -> list[Example]:
    """The examples of one JSONL file, for a task whose labels are already fixed.

    Raises TrainingError, naming file and line, for unusable rows and labels that the task does not have, and for a
    file without rows.
    """
    pairs = list(read_jsonl(path))
    if not pairs:
        raise TrainingError(f"{path} has no rows: at least one is needed.")
    examples = [to_example(row, kind, where) for where, row in pairs]
    check_labels(examples, labels, kind, [where for where, _ in pairs])
    return examples


def label_names(examples: Iterable[Example], kind: Kind) -> tuple[str, ...]:
    """All labels of the examples, sorted; for tagging "O" first and an I- tag for each B- tag and back."""
    if kind is Kind.PAIR_REGRESSION:
        return ()
    names = {name for example in examples for name in _names(example)}
    if kind is Kind.TAGGING:
        types = {name[2:] for name in names if name != "O"}
        return ("O", *(f"{prefix}-{one}" for one in sorted(types) for prefix in "BI"))
    return tuple(sorted(names))


def check_labels(examples: list[Example], labels: tuple[str, ...], kind: Kind, wheres: list[str]) -> None:
    """Raises TrainingError, naming file and line, for the first label that is not among `labels`."""
    if kind is Kind.PAIR_REGRESSION:
        return
    known = set(labels)
    for example, where in zip(examples, wheres, strict=True):
        for name in _names(example):
            if name not in known:
                raise TrainingError(
                    f"{where}: the label {name!r} does not occur in the training data; "
                    f"add training examples for it, or take the row out."
                )


def _names(example: Example) -> tuple[str, ...]:
    return example.label if isinstance(example.label, tuple) else (str(example.label),)


def _splits(source: str) -> dict[str, Iterator[tuple[str, Row]]]:
    if source.startswith(HUB_PREFIX):
        from training.data.hub import read_hub  # `datasets` is slow to import, and most runs read JSONL

        return read_hub(source.removeprefix(HUB_PREFIX))
    folder = Path(source)
    if not folder.is_dir():
        raise TrainingError(
            f"{source} is no folder: give a folder with train.jsonl and dev.jsonl, "
            f"or a hub data set as {HUB_PREFIX}NAME."
        )
    files = {split: folder / f"{split}.jsonl" for split in ("train", "dev")}
    for file in files.values():
        if not file.is_file():
            raise TrainingError(f"{file} is missing: a task folder holds train.jsonl and dev.jsonl.")
    return {split: read_jsonl(file) for split, file in files.items()}
