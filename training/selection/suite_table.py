"""Prints suites as a table, like the paper's Appendix D."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.selection.suite import Suite

_NO_LIMIT = 100_000  # columns


def print_suites(suites: Sequence[Suite], console: Console) -> None:
    """Prints one row per suite, or one column per suite if the terminal is too narrow. A cell is "score (layers)".

    suites: at least one, all of the same tasks.
    """
    if not console.is_terminal:  # a file or pipe has no width
        console.width = _NO_LIMIT
    rows = [["", *suites[0].tasks, "Avg.", "Layers", "Overhead"], *map(_row, suites)]
    table = _table(rows)
    if console.measure(table, options=console.options.update(width=_NO_LIMIT)).maximum > console.width:
        table = _table([list(column) for column in zip(*rows, strict=True)])
    console.print(table)


def _row(suite: Suite) -> list[str]:
    cells = [f"{option.score:.1f} ({option.layers})" for option in suite.tasks.values()]
    return [suite.name, *cells, f"{suite.average_score:.1f}", str(suite.total_layers), f"{suite.overhead:.1%}"]


def _table(rows: Sequence[Sequence[str]]) -> Table:
    heading, *others = rows
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for number, name in enumerate(heading):
        # Text, not str: rich would read square brackets in a str as markup.
        table.add_column(Text(name), justify="right" if number else "left", no_wrap=True)
    for row in others:
        table.add_row(*map(Text, row))
    return table
