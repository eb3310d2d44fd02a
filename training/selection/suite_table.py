"""Prints suites as a table, like the paper's Appendix D."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.figure import average_error, share_error
from training.selection.suite import Suite

_NO_LIMIT = 100_000  # columns


def print_suites(suites: Sequence[Suite], console: Console) -> None:
    """Prints one row per suite, or one column per suite if the terminal is too narrow. A cell is "score (layers)".

    suites: at least one, all of the same tasks.
    """
    if not console.is_terminal:  # a file or pipe has no width
        console.width = _NO_LIMIT
    full = next((suite for suite in suites if all(option.role == "full" for option in suite.tasks.values())), None)
    base = full if full is not None and full.figures and all(suite.figures for suite in suites) else None
    headings = ["Avg.", "Layers", "Overhead", *(["Of full"] if base else [])]
    rows = [["", *suites[0].tasks, *headings], *(_row(suite, base) for suite in suites)]
    table = _table(rows)
    if console.measure(table, options=console.options.update(width=_NO_LIMIT)).maximum > console.width:
        table = _table([list(column) for column in zip(*rows, strict=True)])
    console.print(table)
    figures = [figure for suite in suites for figure in suite.figures]
    if figures:
        which = (
            "rows that chose nothing"
            if all(figure.chose_nothing for figure in figures)
            else ("dev, part of which also chose: the figures are a little too high (see --halve-dev, --data)")
        )
        console.print(f"On {which}; ± one standard error.", highlight=False, soft_wrap=True)


def _row(suite: Suite, full: Suite | None) -> list[str]:
    """full: what the row's average is compared with, in a last cell; None leaves that out."""
    cells = [
        f"{option.told:.1f}{_error(option.figure.error if option.figure else None)} ({option.layers})"
        for option in suite.tasks.values()
    ]
    average = f"{suite.told_average:.1f}{_error(average_error(suite.figures))}"
    row = [suite.name, *cells, average, str(suite.total_layers), f"{suite.overhead:.1%}"]
    if full is not None:
        error = share_error(suite.figures, full.figures)
        row.append(f"{suite.told_average / full.told_average:.1%}" + (f" ±{error:.1%}" if error else ""))
    return row


def _error(error: float | None) -> str:
    return "" if error is None else f" ±{error:.1f}"


def _table(rows: Sequence[Sequence[str]]) -> Table:
    heading, *others = rows
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for number, name in enumerate(heading):
        # Text, not str: rich would read square brackets in a str as markup.
        table.add_column(Text(name), justify="right" if number else "left", no_wrap=True)
    for row in others:
        table.add_row(*map(Text, row))
    return table
