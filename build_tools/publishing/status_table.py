"""Prints the status as a table."""

import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from build_tools.publishing.status import CandidateStatus, TaskStatus
from build_tools.publishing.status_columns import COLUMNS, Column
from build_tools.publishing.suite_cost import suite_cost

_FILE_WIDTH = 200  # columns, for output that goes to a file or a pipe


def status_console() -> Console:
    """Returns the terminal, or what writes to a file or a pipe without cutting anything."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def print_status(tasks: Sequence[TaskStatus], console: Console) -> None:
    """Prints one line for each task, and below the table the notes on candidates."""
    columns = [column for column in COLUMNS if not column.measured or any(column.cell(task) != "-" for task in tasks)]
    console.print(status_table(tasks, columns))
    cost = suite_cost(tasks)
    for note in [*(note for task in tasks for note in notes(task)), *([cost] if cost else [])]:
        console.print(Text(note), soft_wrap=True)


def status_table(tasks: Sequence[TaskStatus], columns: Sequence[Column]) -> Table:
    """Returns a table with a line for each task."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify="right" if column.number else "left", no_wrap=True)
    for task in tasks:
        table.add_row(*(Text(column.cell(task)) for column in columns))
    return table


def notes(task: TaskStatus) -> list[str]:
    """Returns the lines below the table: a withdrawn canary, silent versions, and what a candidate has answered."""
    lines = [f"{task.task}: {task.withdrawn}"] if task.withdrawn else []
    lines += [f"{task.task}: version {number} does not answer: {why}" for number, why in sorted(task.silent.items())]
    if task.candidate is not None and task.candidate.answers is not None:
        lines += _candidate_notes(task.task, task.candidate)
    return lines


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
