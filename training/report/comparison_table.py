"""The table like the paper's Table 2, turned: tasks as rows, the ways to serve them as columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.report.collected_results import CollectedResults
from training.report.comparison_columns import Column
from training.report.metric_names import metric_name
from training.report.numbers import MISSING, percent, points


@dataclass(frozen=True)
class Cell:
    """text: a number or a dash. mark: the branch that it is of, such as T5."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """One line. note: the metric of a task, or of how many tasks a share is."""

    name: str
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class Group:
    """Some tasks with their averages: the eight GLUE tasks, or all."""

    tasks: list[Row]
    averages: list[Row]


@dataclass(frozen=True)
class Heading:
    """marked: whether some cell below it has a mark, so that all leave room for one."""

    name: str
    marked: bool


@dataclass(frozen=True)
class ComparisonTable:
    """The groups in order, each cell in the column of its place."""

    columns: list[Heading]
    groups: list[Group]


def make_comparison_table(results: CollectedResults, columns: Sequence[Column], full: Column) -> ComparisonTable:
    """The GLUE tasks with averages of their own, if all eight are there, then the others and the averages of all."""
    others = [task for task in results.names if task not in results.glue]
    groups = []
    if results.glue:
        groups.append(_group(results, "GLUE", results.glue, results.glue, columns, full))
    if others:
        groups.append(_group(results, "all tasks", others, results.names, columns, full))
    return ComparisonTable([Heading(column.name, bool(column.marks)) for column in columns], groups)


def _group(
    results: CollectedResults,
    title: str,
    shown: list[str],
    averaged: list[str],
    columns: Sequence[Column],
    full: Column,
) -> Group:
    metrics = {task.name: metric_name(task.result.metric) for task in results.tasks}
    rows = [
        Row(
            task,
            metrics[task],
            [Cell(points(column.scores.get(task)), column.marks.get(task, "")) for column in columns],
        )
        for task in shown
    ]

    def row(name: str, text: Callable[[Column], str], note: str = "") -> Row:
        return Row(name, note, [Cell(text(column)) for column in columns])

    def average(column: Column) -> str:
        return points(column.average(averaged))

    def share(column: Column) -> str:
        return MISSING if column.average(averaged) is None else percent(column.share_of(full, averaged))

    def layers(column: Column) -> str:
        total = column.layers(averaged)
        return MISSING if total is None else str(total)

    def overhead(column: Column) -> str:
        return percent(column.overhead(averaged, results.encoder_layers))

    compared = sum(task in full.scores for task in averaged)
    note = "" if compared == len(averaged) else f"over {compared} of {len(averaged)}"
    averages = [
        row(f"average, {title}", average),
        row("of full fine-tuning", share, note),
        row("layers", layers),
        row("overhead", overhead),
    ]
    return Group(rows, averages)
