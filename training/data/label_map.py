"""Renames, merges and drops labels, as the `label_map` of task.json says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from training.data.example import Example, Located, UnlabelledExample
from training.data.labels import all_names
from training.data.task_file import TASK_FILE, TaskFile
from training.errors import TrainingError
from training.kinds import Kind

LabelMap = Mapping[str, str | None]


def relabel(
    located: Mapping[str, Sequence[Located]], kind: Kind, task_file: TaskFile, folder: Path
) -> dict[str, list[Located]]:
    """The splits with the labels of task.json. located: by split.

    Raises TrainingError if task.json does not fit them, or drops every row of one.
    """
    task_file.check_kind(kind, folder)
    check_label_map(task_file.label_map, [example for pairs in located.values() for _, example in pairs], kind, folder)
    mapped = {name: apply_label_map(pairs, kind, task_file.label_map) for name, pairs in located.items()}
    for name, pairs in mapped.items():
        if not pairs:
            raise TrainingError(f"{folder}: `label_map` in task.json drops every row of {name}: keep some.")
    return mapped


def apply_label_map(located: Iterable[Located], kind: Kind, label_map: LabelMap) -> list[Located]:
    """The examples with their new labels; those without a label stay as they are.

    None as the new label drops the example (classification), the span (tagging) or only that name (multi-label).
    """
    if not label_map:  # a regression label stays a number
        return list(located)
    mapped = ((where, _map(example, kind, label_map)) for where, example in located)
    return [(where, example) for where, example in mapped if example is not None]


def check_label_map(label_map: LabelMap, examples: Iterable[Example], kind: Kind, folder: Path) -> None:
    """Raises TrainingError if the map has an old name that no example has.

    examples: those of train and dev, before the map is applied.
    """
    names = set(all_names((one for one in examples if not isinstance(one, UnlabelledExample)), kind))
    for old in label_map:
        if old not in names:
            raise TrainingError(
                f"{folder / TASK_FILE}: `label_map` names {old!r}, which no row of train or dev has: "
                + ("for tagging it holds span types, without B- and I-." if kind is Kind.TAGGING else "remove it.")
            )


def _map(example: Example, kind: Kind, label_map: LabelMap) -> Example | None:
    if isinstance(example, UnlabelledExample):
        return example
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
