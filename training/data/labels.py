"""The labels of a task: all of them, those that a row has but the task does not, and those too rare to learn.

A name is a label as people write it. For tagging, names are the span types; the model's labels are their BIO tags.
"""

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from training.data.example import Example
from training.errors import TrainingError, TrainingWarning
from training.kinds import Kind

# ("FILE, line N", the example read from there)
Located = tuple[str, Example]
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


def warn_of_single_examples(examples: Iterable[Example], kind: Kind, source: str) -> None:
    """Emits one TrainingWarning if some labels have only one example."""
    counts = Counter(name for example in examples for name in set(names_of(example, kind)))
    single = sorted(name for name, count in counts.items() if count == 1)
    if single:
        what = "1 label has" if len(single) == 1 else f"{len(single)} labels have"
        warnings.warn(
            f"{source}: {what} only one training row ({_some(single)}): add rows, or merge or drop such labels with "
            f"`label_map` in the folder's task.json.",
            TrainingWarning,
            stacklevel=3,  # the caller of load_task
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more
