"""Small multiples: one panel per task."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.report.figures.style import WIDTH, new_figure

COLUMNS = 4
_LEGEND_INCHES = 0.4
_ENTRY_INCHES = 2.3  # the longest name in a legend with its symbol


def new_panels(titles: Sequence[tuple[str, str]], x_label: str, y_label: str) -> tuple[Figure, list[Axes]]:
    """Returns a figure with one panel per title (task and metric); the axis labels are shared."""
    columns = min(COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    # A single panel as wide as the page would be mostly empty.
    figure = new_figure(WIDTH * max(columns, 2) / COLUMNS, 1.9 * rows + 0.7 + _LEGEND_INCHES)
    grid = figure.subplots(rows, columns, squeeze=False)
    panels = list(grid.flat)
    for axes, (task, metric) in zip(panels, titles, strict=False):
        axes.set_title(task, pad=14)
        axes.text(0.5, 1.02, metric, transform=axes.transAxes, ha="center", va="bottom", fontsize="small")
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    for axes in panels[len(titles) :]:
        axes.remove()
    figure.supxlabel(x_label, fontsize="medium")
    figure.supylabel(y_label, fontsize="medium")
    return figure, panels[: len(titles)]


def add_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Adds one legend above all panels, with everything that a panel shows."""
    shown: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        shown |= {label: handle for label, handle in zip(labels, handles, strict=True) if label not in shown}
    figure.legend(
        shown.values(), shown.keys(), loc="outside upper left", ncols=int(figure.get_figwidth() // _ENTRY_INCHES)
    )
