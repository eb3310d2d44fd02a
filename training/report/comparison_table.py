"""The comparison table: the paper's Table 2 transposed, with tasks as rows and the ways to serve them as columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.report.collected_results import CollectedResults
from training.report.comparison_columns import Column
from training.report.metric_names import metric_name
from training.report.numbers import MISSING, percent, plus_minus, points


@dataclass(frozen=True)
class Cell:
    """text: a number or a dash. mark: the branch with that score, such as T5. error: one standard error, as "±1.2"."""

    text: str
    mark: str = ""
    error: str = ""


@dataclass(frozen=True)
class Row:
    """One row. note: the metric of a task, or the number of tasks that a share covers."""

    name: str
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class Group:
    """The rows of some tasks, and the rows of averages below them."""

    tasks: list[Row]
    averages: list[Row]


@dataclass(frozen=True)
class Heading:
    """marked: whether a cell of the column has a mark, so that all its cells leave room for one."""

    name: str
    marked: bool


@dataclass(frozen=True)
class ComparisonTable:
    """The columns and the groups of rows, in the order of the page."""

    columns: list[Heading]
    groups: list[Group]


def make_comparison_table(results: CollectedResults, columns: Sequence[Column], full: Column) -> ComparisonTable:
    """Returns the GLUE tasks with their averages, if all eight are there, then the others with the averages of all."""
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
            [
                Cell(points(column.scores.get(task)), column.marks.get(task, ""), plus_minus(column.error(task)))
                for column in columns
            ],
        )
        for task in shown
    ]

    def row(
        name: str, text: Callable[[Column], str], note: str = "", error: Callable[[Column], str] = lambda _: ""
    ) -> Row:
        return Row(name, note, [Cell(text(column), error=error(column)) for column in columns])

    def average_error(column: Column) -> str:
        return plus_minus(column.average_error(averaged))

    def share_error(column: Column) -> str:
        error = None if column is full or column.average(averaged) is None else column.share_error(full, averaged)
        return plus_minus(None if error is None else 100 * error)

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
        row(f"average, {title}", average, error=average_error),
        row("of full fine-tuning", share, note, share_error),
        row("layers", layers),
        row("overhead", overhead),
    ]
    return Group(rows, averages)
