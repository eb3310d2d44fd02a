"""Renames, merges and drops labels, as the `label_map` of task.json says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from training.data.example import Example
from training.data.labels import Located, all_names
from training.data.task_file import TASK_FILE
from training.errors import TrainingError
from training.kinds import Kind

LabelMap = Mapping[str, str | None]


def apply_label_map(located: Iterable[Located], kind: Kind, label_map: LabelMap) -> list[Located]:
    """The examples with their new labels.

    None as the new label drops the example (classification), the span (tagging) or only that name (multi-label).
    """
    if not label_map:  # a regression label stays a number
        return list(located)
    mapped = ((where, _map(example, kind, label_map)) for where, example in located)
    return [(where, example) for where, example in mapped if example is not None]


def check_label_map(label_map: LabelMap, examples: Sequence[Example], kind: Kind, folder: Path) -> None:
    """Raises TrainingError if the map has an old name that no example has.

    examples: those of train and dev, before the map is applied.
    """
    names = set(all_names(examples, kind))
    for old in label_map:
        if old not in names:
            raise TrainingError(
                f"{folder / TASK_FILE}: `label_map` names {old!r}, which no row of train or dev has"
                + (": for tagging it holds span types, without B- and I-." if kind is Kind.TAGGING else ".")
            )


def _map(example: Example, kind: Kind, label_map: LabelMap) -> Example | None:
    if kind is Kind.TAGGING:
        return replace(example, label=tuple(_map_tag(tag, label_map) for tag in _names(example)))
    new = [label_map.get(name, name) for name in _names(example)]
    if kind is Kind.MULTI_LABEL:
        return replace(example, label=tuple(dict.fromkeys(name for name in new if name is not None)))
    return None if new[0] is None else replace(example, label=new[0])


def _map_tag(tag: str, label_map: LabelMap) -> str:
    if tag == "O":
        return tag
    new = label_map.get(tag[2:], tag[2:])
    return "O" if new is None else tag[:2] + new


def _names(example: Example) -> tuple[str, ...]:
    return example.label if isinstance(example.label, tuple) else (str(example.label),)
