"""The trade-off between score and overhead for all thresholds c."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.report.comparison_columns import WITHOUT_KD
from training.report.figures.panels import add_legend
from training.report.figures.style import BASELINE, MIXED, STUDENT, TEACHER, WIDTH, new_figure, style


@dataclass(frozen=True)
class Point:
    """One way to serve all tasks. overhead and share (of full fine-tuning) are fractions; average is in points."""

    name: str
    overhead: float
    average: float
    share: float | None


def draw_trade_off(
    sweep: Sequence[Point], marked: Sequence[Point], fixed: Sequence[Point], full_average: float | None
) -> Figure:
    """Draws average scores, and shares of full fine-tuning in a second panel if a point has one.

    sweep: mixed over many c. marked: mixed at the thresholds asked for. fixed: KD-l and w/o KD.
    full_average: the average of full fine-tuning over all tasks; None if a task lacks it.
    """
    with_share = any(point.share is not None for point in sweep)
    with style():
        figure = new_figure(WIDTH if with_share else WIDTH / 2, 4.0)
        panels = list(figure.subplots(1, 2 if with_share else 1, squeeze=False).flat)
        _draw_panel(panels[0], sweep, marked, fixed, lambda point: point.average)
        panels[0].set_ylabel("average score in points")
        full = [full_average]
        if with_share:
            _draw_panel(panels[1], sweep, marked, fixed, lambda point: point.share)
            panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=1, symbol=" %"))
            panels[1].set_ylabel("share of full fine-tuning's average")
            full.append(1.0)
        for axes, height in zip(panels, full, strict=True):
            if height is not None:
                axes.axhline(height, color=BASELINE, linestyle="--", linewidth=1.2, label="full fine-tuning")
        add_legend(figure, panels)
        return figure


def _draw_panel(
    axes: Axes,
    sweep: Sequence[Point],
    marked: Sequence[Point],
    fixed: Sequence[Point],
    height: Callable[[Point], float | None],
) -> None:
    def place(points: Sequence[Point]) -> list[tuple[float, float, str]]:
        heights = [(point, height(point)) for point in points]
        return [(point.overhead, value, point.name) for point, value in heights if value is not None]

    def draw(placed: Sequence[tuple[float, float, str]], line: str, label: str, **look: Any) -> None:
        if placed:
            axes.plot([x for x, *_ in placed], [y for _, y, _ in placed], line, label=label, **look)

    fixed_points = place(fixed)
    draw(sorted(place(sweep)), "-o", "mixed, over all thresholds c", color=MIXED)
    draw(place(marked), "o", "at the thresholds asked for", color=MIXED, markersize=10, markerfacecolor="none")
    draw([point for point in fixed_points if point[2] != WITHOUT_KD], "D", "KD-l", color=STUDENT)
    draw([point for point in fixed_points if point[2] == WITHOUT_KD], "s", WITHOUT_KD, color=TEACHER)
    # Mixed points lie above the fixed ones, so their names go up and to the left, and the others' down.
    for x, y, name in place(marked):
        axes.annotate(name, (x, y), (-6, 8), textcoords="offset points", ha="right", color=MIXED)
    for x, y, name in fixed_points:
        axes.annotate(name, (x, y), (0, -15), textcoords="offset points", ha="center")
    axes.margins(0.16)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("overhead")
