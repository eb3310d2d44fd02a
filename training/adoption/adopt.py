"""A task and its original: the data, with an answer for each row that has no label, and the logits to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.adoption.answers import answer_of, answers
from training.adoption.implausible import warn_if_implausible
from training.adoption.original import Original
from training.adoption.original_kind import kind_of, possible_kinds
from training.adoption.original_labels import advice, check_declared, output_names, task_labels
from training.data import Example, TaskData
from training.data.example import Label, UnlabelledExample
from training.data.halves import cut_in_half
from training.data.partly_labelled import check_given_labels, names_in, read_partly_labelled
from training.data.task import sample
from training.kinds import Kind
from training.metrics import score
from training.prepared_task import PreparedTask
from training.tokenization import NOT_SEEN
from training.trainer_distillation import TeacherLogitsOnTrain


@dataclass(frozen=True)
class Adopted:
    """What a branch learns from an original on one task.

    data: rows without a label have the original's answer in its place, and are UnlabelledExamples.
    original: its record, with `scores` on the labelled rows among those that give the figures: dev, or its held half.
        Without any there are no scores.
    logits: those of each train row, by what the original read; see _content.
    """

    data: TaskData
    original: dict[str, Any]
    logits: dict[object, np.ndarray]

    @property
    def unlabelled(self) -> dict[str, int]:
        """How many rows of train, and of those that give the figures, have no label of their own."""
        splits = {"train": self.data.train, "dev": self.scored}
        return {name: sum(isinstance(one, UnlabelledExample) for one in rows) for name, rows in splits.items()}

    @property
    def scored(self) -> list[Example]:
        """The rows that give the figures: dev, or its held half."""
        return self.data.held or self.data.dev

    @property
    def size(self) -> str:
        """The original's size, for people: "12 layers, 109 M parameters"."""
        layers = self.original["layers"]
        depth = "" if layers is None else f"{layers} layers, "
        return f"{depth}{self.original['parameters'] / 1e6:.0f} M parameters"

    def teacher_logits(self, task: PreparedTask) -> TeacherLogitsOnTrain:
        """The original's logits on the training rows of `task`, which was prepared from `data`."""
        examples, tokens = task.examples["train"], task.tokens["train"]
        rows = [self.logits[_content(example)] for example in examples]
        if task.kind is not Kind.TAGGING:
            return TeacherLogitsOnTrain(task, np.stack(rows))
        seen = [[place != NOT_SEEN for place in one.word_positions] for one in tokens]
        return TeacherLogitsOnTrain(task, np.concatenate([row[mask] for row, mask in zip(rows, seen, strict=True)]))


def adopt(
    original: Original,
    source: str,
    kind: Kind | None = None,
    train_rows: int | None = None,
    seed: int = 0,
    dev_rows: int | None = None,
    halve_dev: int | None = None,
) -> Adopted:
    """Reads a task, checks that the original answers it, and asks the original about every text.

    source, kind, train_rows, seed, dev_rows, halve_dev: see load_task; no row needs a label.
    Raises TrainingError if kind, labels or rows do not fit the original. Emits a TrainingWarning if it answers the
    labelled dev rows no better than a constant would.
    """
    kinds = possible_kinds(original)
    read = read_partly_labelled(source, kind or (kinds[0] if len(kinds) == 1 else None))
    kind = kind_of(original, read.rows, kind or read.task_file.kind, read.source)
    located = read.examples(kind)
    given = sorted({name for pairs in located.values() for name in names_in(pairs, kind)})
    names = output_names(original, kind, read.task_file.labels, given)
    labels = task_labels(original, kind, names)
    known = list(dict.fromkeys(label[2:] for label in labels if label != "O")) if kind is Kind.TAGGING else list(labels)
    check_declared(original, read.task_file.labels, known)
    for pairs in located.values():
        check_given_labels(pairs, labels, kind, f"is none of the model {original.name}", advice(given, known))
    train = sample([example for _, example in located["train"]], train_rows, seed)
    dev = sample([example for _, example in located["dev"]], dev_rows, seed)
    held: list[Example] = []
    if halve_dev is not None:
        dev, held = cut_in_half(dev, halve_dev)
    of_train, of_dev, of_held = (answers(original, rows, kind, names, labels) for rows in (train, dev, held))
    data = TaskData(
        read.source,
        kind,
        labels,
        _filled(train, of_train, kind, labels),
        _filled(dev, of_dev, kind, labels),
        read.sha256,
        read.task_file.metric,
        _filled(held, of_held, kind, labels),
    )
    record = original.record()
    golds, given_answers = _labelled(held or dev, of_held if held else of_dev, kind, labels)
    if golds:
        record["scores"] = scores = score(kind, labels, given_answers, golds)
        warn_if_implausible(original.name, kind, scores, golds, given_answers)
    return Adopted(data, record, {_content(one): row for one, row in zip(train, of_train, strict=True)})


def _filled(
    examples: Sequence[Example], logits: Sequence[np.ndarray], kind: Kind, labels: Sequence[str]
) -> list[Example]:
    """The examples with the original's answer where there is no label."""
    return [
        replace(example, label=answer_of(row, kind, labels)) if isinstance(example, UnlabelledExample) else example
        for example, row in zip(examples, logits, strict=True)
    ]


def _labelled(
    examples: Sequence[Example], logits: Sequence[np.ndarray], kind: Kind, labels: Sequence[str]
) -> tuple[list[Label], list[Label]]:
    """The labels of the examples that have one, and the original's answers to these."""
    pairs = [
        (example.label, answer_of(row, kind, labels))
        for example, row in zip(examples, logits, strict=True)
        if not isinstance(example, UnlabelledExample)
    ]
    return [label for label, _ in pairs], [answer for _, answer in pairs]


def _content(example: Example) -> object:
    """What the original reads of an example: equal contents get equal logits."""
    return (example.text, example.text_pair, example.words)
