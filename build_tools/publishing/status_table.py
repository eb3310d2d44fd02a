"""Prints the status as a table."""

import json
from collections.abc import Sequence
from pathlib import PurePath

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from build_tools.publishing.status import CandidateStatus, TaskStatus

_TITLES = ("task", "live", "previous", "candidate", "loaded", "requests", "errors", "since", "by", "data")
_NUMBERS = ("live", "previous", "requests", "errors")


def print_status(tasks: Sequence[TaskStatus], console: Console) -> None:
    """Prints one line for each task, and below the table the notes on candidates."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for title in _TITLES:
        table.add_column(title, justify="right" if title in _NUMBERS else "left", no_wrap=True)
    for task in tasks:
        table.add_row(*(Text(cell) for cell in _cells(task)))
    console.print(table)
    for task in tasks:
        for note in _notes(task):
            console.print(Text(note), soft_wrap=True)


def _cells(task: TaskStatus) -> list[str]:
    candidate = task.candidate
    shown = ""
    if candidate is not None:
        shown = f"{candidate.version} {candidate.kind}" + (f" {candidate.share:.0%}" if candidate.share else "")
    return [
        task.task,
        str(task.live),
        _shown(task.previous),
        shown,
        "-" if task.loaded is None else ", ".join(map(str, task.loaded)),
        _shown(task.requests),
        _shown(task.errors),
        f"{task.published_at:%Y-%m-%d %H:%M}",
        task.published_by,
        PurePath(task.data).name,
    ]


def _notes(task: TaskStatus) -> list[str]:
    notes = [f"{task.task}: {task.withdrawn}"] if task.withdrawn else []
    if task.candidate is not None and task.candidate.answers is not None:
        notes += _candidate_notes(task.task, task.candidate)
    return notes


def _candidate_notes(task: str, candidate: CandidateStatus) -> list[str]:
    answered = f"has answered {candidate.answers} texts and failed for {candidate.errors}"
    notes = [f"{task}: {candidate.kind} {candidate.version} {answered}"]
    if candidate.compared:
        differing = candidate.differing or 0
        share = differing / candidate.compared
        notes.append(f"{task}: it differs from the live version for {differing} of {candidate.compared} ({share:.1%})")
    for example in candidate.examples:
        pair = f" / {example['pair']!r}" if example["pair"] else ""
        live, shadow = (json.dumps(example[side], ensure_ascii=False) for side in ("live", "shadow"))
        notes.append(f"  {example['text']!r}{pair}\n    live    {live}\n    shadow  {shadow}")
    return notes


def _shown(number: int | None) -> str:
    return "-" if number is None else str(number)
