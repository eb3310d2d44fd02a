"""A task and its original: the data, with an answer for each row that has no label, and the logits to learn from."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.adoption.original import Original
from training.adoption.original_kind import kind_of, possible_kinds
from training.adoption.original_labels import advice, check_declared, output_names, task_labels
from training.adoption.original_logits import logits_of_original
from training.adoption.tag_scheme import to_bio
from training.data import Example, TaskData
from training.data.example import Label, UnlabelledExample
from training.data.halves import cut_in_half
from training.data.partly_labelled import check_given_labels, names_in, read_partly_labelled
from training.data.task import sample
from training.errors import TrainingWarning
from training.kinds import Kind
from training.metrics import score
from training.prepared_task import PreparedTask
from training.tokenization import NOT_SEEN
from training.trainer_distillation import TeacherLogitsOnTrain

_NEXT_TO_NOTHING = 5.0  # points of F1 or correlation
_FEW_ROWS = 20  # too few to say that the original answers badly


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
    scored, logits = (held, of_held) if held else (dev, of_dev)
    scores = _scores(scored, logits, kind, labels)
    if scores:
        record["scores"] = scores
        _warn_of_wrong_answers(original.name, scores, scored, logits, kind)
    return Adopted(data, record, {_content(one): row for one, row in zip(train, of_train, strict=True)})


def answers(
    original: Original, examples: Sequence[Example], kind: Kind, names: Sequence[str], labels: Sequence[str]
) -> list[np.ndarray]:
    """The original's logits in the order of `labels`: float32 [C], or [W, C] over the words of a tagged text."""
    logits = logits_of_original(original, examples)
    return [to_bio(row, names, labels) for row in logits] if kind is Kind.TAGGING else logits


def answer_of(logits: np.ndarray, kind: Kind, labels: Sequence[str]) -> Label:
    """What an example's label would be if the original is right. Words that it did not read are O."""
    if kind is Kind.PAIR_REGRESSION:
        return float(logits[0])
    if kind is Kind.TAGGING:
        return tuple("O" if np.isnan(row).any() else labels[int(row.argmax())] for row in logits)
    if kind is Kind.MULTI_LABEL:
        return tuple(label for label, logit in zip(labels, logits, strict=True) if logit > 0)
    return labels[int(logits.argmax())]


def _filled(
    examples: Sequence[Example], logits: Sequence[np.ndarray], kind: Kind, labels: Sequence[str]
) -> list[Example]:
    return [
        replace(example, label=answer_of(row, kind, labels)) if isinstance(example, UnlabelledExample) else example
        for example, row in zip(examples, logits, strict=True)
    ]


def _scores(
    examples: Sequence[Example], logits: Sequence[np.ndarray], kind: Kind, labels: Sequence[str]
) -> dict[str, float]:
    """On the examples that have a label; empty if none has."""
    labelled = [
        (example.label, answer_of(row, kind, labels))
        for example, row in zip(examples, logits, strict=True)
        if not isinstance(example, UnlabelledExample)
    ]
    return score(kind, labels, [answer for _, answer in labelled], [gold for gold, _ in labelled]) if labelled else {}


def _warn_of_wrong_answers(
    name: str, scores: dict[str, float], examples: Sequence[Example], logits: Sequence[np.ndarray], kind: Kind
) -> None:
    labelled = [
        (example.label, row)
        for example, row in zip(examples, logits, strict=True)
        if not isinstance(example, UnlabelledExample)
    ]
    if len(labelled) < _FEW_ROWS:
        return
    metric, least, than = kind.default_metric, _NEXT_TO_NOTHING, "next to nothing"
    if kind in (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION):
        least = 100 * Counter(gold for gold, _ in labelled).most_common(1)[0][1] / len(labelled)
        than = f"less than a constant answer would have ({least:.1f})"
    if kind is Kind.PAIR_REGRESSION:
        golds = np.array([gold for gold, _ in labelled], dtype=float)
        errors = np.array([row[0] for _, row in labelled]) - golds
        if (errors**2).mean() > 4 * golds.var():
            _warn(
                f"the numbers of the model {name} are on another scale than the labels of the dev rows: give the "
                "labels its scale, or leave them out of train."
            )
    if scores[metric] < least:
        _warn(
            f"the model {name} has {metric} {scores[metric]:.1f} on the labelled dev rows, {than}: check that its "
            "labels are named in the order of its outputs."
        )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, TrainingWarning, stacklevel=4)  # the caller of adopt


def _content(example: Example) -> object:
    """What the original reads of an example: equal contents get equal logits."""
    return (example.text, example.text_pair, example.words)
