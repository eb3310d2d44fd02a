"""The labels of a task: all of them, those that a row has but the task does not, and those too rare to learn.

A name is a label as people write it. For tagging, names are the span types; the model's labels are their BIO tags.
"""

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from training.data.example import Example, Located
from training.errors import TrainingError, TrainingWarning
from training.kinds import Kind

# hub: data has no task.json
IN_A_FOLDER = "after you have written the rows to a folder of JSONL files, whose task.json can do that"
NAMED = 3  # a message names at most this many labels


def names_of(example: Example, kind: Kind) -> tuple[str, ...]:
    """The names in the example's label; for tagging one for each word in a span, for regression none."""
    if kind is Kind.PAIR_REGRESSION:
        return ()
    if not isinstance(example.label, tuple):
        return (str(example.label),)
    return tuple(tag[2:] for tag in example.label if tag != "O") if kind is Kind.TAGGING else example.label


def all_names(examples: Iterable[Example], kind: Kind) -> list[str]:
    """The names that occur in the examples, sorted."""
    return sorted({name for example in examples for name in names_of(example, kind)})


def labels_of(names: Iterable[str], kind: Kind) -> tuple[str, ...]:
    """The labels of the model's outputs: the names; for tagging "O" and then the B- and I- tag of each name."""
    if kind is Kind.TAGGING:
        return ("O", *(f"{prefix}-{name}" for name in names for prefix in "BI"))
    return tuple(names)


def label_names(examples: Iterable[Example], kind: Kind) -> tuple[str, ...]:
    """All labels of the examples, sorted; for tagging "O", then both tags of each type, even if only one occurs."""
    return labels_of(all_names(examples, kind), kind)


def check_labels(located: Sequence[Located], labels: Collection[str], kind: Kind, problem: str, advice: str) -> None:
    """Raises TrainingError if a row has a label that is not in `labels`, naming the first row and the number of rows.

    problem: the rest of "the label NAME ..." in the message. advice: what the user can do.
    """
    known = {label[2:] for label in labels if label != "O"} if kind is Kind.TAGGING else set(labels)
    unknown: dict[str, None] = {}  # in the order of the rows
    rows = 0
    first = ""
    for where, example in located:
        new = [name for name in names_of(example, kind) if name not in known]
        if new:
            first = first or f"{where}: the label {new[0]!r} {problem}"
            rows += 1
            unknown.update(dict.fromkeys(new))
    if unknown:
        count = f"{rows} rows have such a label" if rows > 1 else "1 row has such a label"
        raise TrainingError(f"{first} ({count}: {_some(list(unknown))}): {advice}.")


def labels_of_task(
    located: Mapping[str, Sequence[Located]], kind: Kind, declared: Sequence[str] | None, source: str, in_folder: bool
) -> tuple[str, ...]:
    """The labels of the model's outputs: the declared ones, or those of train.

    located: the examples of train and dev. declared: `labels` of task.json, if any. source, in_folder: for messages;
    in_folder is True if a task.json can stand beside the rows.
    Raises TrainingError if train has too few labels, or a row of either split has another label.
    """
    seen = label_names((example for _, example in located["train"]), kind)
    fewest = {Kind.PAIR_REGRESSION: 0, Kind.TAGGING: 1, Kind.MULTI_LABEL: 1}.get(kind, 2)
    if len(seen) < fewest:
        raise TrainingError(
            f"{source}: a task of kind {kind} needs at least {fewest} labels; train has {list(seen)}: add rows of "
            "another label, or name another --kind."
        )
    if kind is Kind.TAGGING and seen == ("O",):
        raise TrainingError(f"{source}: every tag of train is O, so there is no span to learn: check the tags.")
    if declared is None:
        advice = (
            "add training rows that have it, or let the folder's task.json declare it in `labels`, "
            "or map it to another name or to null in `label_map`"
            if in_folder
            else f"add training rows that have it, or declare, map or drop it {IN_A_FOLDER}"
        )
        check_labels(located["dev"], seen, kind, "does not occur in the training data", advice)
        return seen
    labels = labels_of(declared, kind)
    for pairs in located.values():
        check_labels(
            pairs,
            labels,
            kind,
            "is not among the `labels` of task.json",
            "add it there, or map it to another name or to null in `label_map`",
        )
    return labels


def warn_of_single_examples(examples: Iterable[Example], kind: Kind, source: str, in_folder: bool = True) -> None:
    """Emits one TrainingWarning if some labels have only one example.

    in_folder: True if a task.json can stand beside the rows.
    """
    counts = Counter(name for example in examples for name in set(names_of(example, kind)))
    single = sorted(name for name, count in counts.items() if count == 1)
    if single:
        what = "1 label has" if len(single) == 1 else f"{len(single)} labels have"
        warnings.warn(
            f"{source}: {what} only one training row ({_some(single)}): add rows, or merge or drop such labels "
            + ("with `label_map` in the folder's task.json." if in_folder else f"{IN_A_FOLDER}."),
            TrainingWarning,
            stacklevel=3,  # the caller of load_task
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more
