"""The labels of a branch that learns from an original: those of its outputs, by name, checked against the data's."""

import re
from collections.abc import Sequence

from training.adoption.original import Original
from training.adoption.tag_scheme import bio_labels
from training.data.labels import NAMED
from training.errors import TrainingError
from training.kinds import Kind
from training.label_form import check_labels_form


def output_names(original: Original, kind: Kind, declared: Sequence[str] | None, given: Sequence[str]) -> Sequence[str]:
    """The name of each output, in their order; empty for regression.

    declared: `labels` of task.json, which name the outputs if the config does not; given: the names in the rows.
    Raises TrainingError if neither names the outputs, or if a name occurs twice or is none that a task may have.
    """
    if kind is Kind.PAIR_REGRESSION:
        return []
    config = original.model.config
    names: Sequence[str] = [str(config.id2label[number]).strip() for number in range(original.outputs)]
    if all(re.fullmatch(r"LABEL_\d+", name) for name in names):
        names = _names_instead(original, kind, declared, given)
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    try:
        if twice is not None:
            raise ValueError(f"two outputs have the label {twice!r}")
        check_labels_form(names)
    except ValueError as error:
        raise TrainingError(f"the model {original.name}: {error}: correct `id2label` in its config.json.") from error
    return names


def task_labels(original: Original, kind: Kind, names: Sequence[str]) -> tuple[str, ...]:
    """The labels of the task. names: those of output_names. Raises TrainingError for tags that are none of spans."""
    return bio_labels(names, original.name) if kind is Kind.TAGGING else tuple(names)


def check_declared(original: Original, declared: Sequence[str] | None, names: Sequence[str]) -> None:
    """Raises TrainingError if `labels` of task.json has a name that the original does not answer."""
    unknown = [name for name in declared or () if name not in names]
    if unknown:
        raise TrainingError(
            f"`labels` of task.json names {unknown[0]!r}, which the model {original.name} does not answer: "
            f"{advice(unknown, names)}."
        )


def advice(names: Sequence[str], labels: Sequence[str]) -> str:
    """What to do about names in the data that are not among the labels. For tagging both are span types."""
    by_fold = {label.casefold(): label for label in labels}
    alike = {name: by_fold[name.casefold()] for name in names if name not in labels and name.casefold() in by_fold}
    pairs = ", ".join(f'"{old}": "{new}"' for old, new in list(alike.items())[:NAMED])
    example = f"{{{pairs}{', ...' if len(alike) > NAMED else ''}}}" if alike else "your name -> its name"
    return (
        f"the model answers {', '.join(map(repr, labels[:6]))}{', ...' if len(labels) > 6 else ''}; rename with "
        f"`label_map` in a task.json beside the rows ({example}), or drop such rows with null"
    )


def _names_instead(
    original: Original, kind: Kind, declared: Sequence[str] | None, given: Sequence[str]
) -> Sequence[str]:
    """The names of outputs that the config calls LABEL_0, LABEL_1, ..."""
    count = original.outputs
    digits = [str(number) for number in range(count)]
    if kind is not Kind.TAGGING:
        if declared is not None and len(declared) == count:
            return declared
        if declared is None and given and set(given) <= set(digits):
            return digits
    others = (
        "" if kind is Kind.TAGGING else f", or all {count} into `labels` of a task.json beside the rows, in that order"
    )
    raise TrainingError(
        f"the model {original.name} does not name its {count} outputs (its config.json says LABEL_0, LABEL_1, ...): "
        f"write their names into `id2label` of its config.json, in the order of its outputs{others}."
    )
