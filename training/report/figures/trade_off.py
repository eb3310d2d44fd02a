"""The trade-off between score and overhead for all thresholds c."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.report.comparison_columns import WITHOUT_KD
from training.report.figures.free_labels import Named, add_labels
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
    """Draws shares of full fine-tuning where points have one, else average scores.

    sweep: mixed over many c. marked: mixed at the thresholds asked for. fixed: KD-l and w/o KD.
    full_average: the average of full fine-tuning over all tasks; None if a task lacks it. With it the shares have a
    second scale, of average scores.
    """
    with_share = any(point.share is not None for point in sweep)

    def place(points: Sequence[Point]) -> list[tuple[float, float, str]]:
        heights = [(point, point.share if with_share else point.average) for point in points]
        return [(point.overhead, value, point.name) for point, value in heights if value is not None]

    with style():
        figure = new_figure(WIDTH, 4.4)
        axes = figure.subplots()

        def draw(placed: Sequence[tuple[float, float, str]], line: str, label: str, **look: Any) -> None:
            if placed:
                axes.plot([x for x, *_ in placed], [y for _, y, _ in placed], line, label=label, **look)

        fixed_points, marked_points = place(fixed), place(marked)
        draw(sorted(place(sweep)), "-o", "mixed, over all thresholds c", color=MIXED)
        draw(marked_points, "o", "at the thresholds asked for", color=MIXED, markersize=10, markerfacecolor="none")
        draw([point for point in fixed_points if point[2] != WITHOUT_KD], "D", "KD-l", color=STUDENT)
        draw([point for point in fixed_points if point[2] == WITHOUT_KD], "s", WITHOUT_KD, color=TEACHER)
        height = 1.0 if with_share else full_average
        if height is not None:
            axes.axhline(height, color=BASELINE, linestyle="--", linewidth=1.2, label="full fine-tuning")
        axes.margins(0.12)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel("overhead: layers of trunk and branches, as a share of one whole encoder per task")
        axes.set_ylabel("average score in points")
        if with_share:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1, symbol=" %"))
            axes.set_ylabel("share of full fine-tuning's average")
            if full_average:
                to_points, to_share = partial(_scaled, by=full_average), partial(_scaled, by=1 / full_average)
                second = axes.secondary_yaxis("right", functions=(to_points, to_share))
                second.set_ylabel("average score in points")
        add_legend(figure, [axes])
        named = [Named(x, y, name, MIXED) for x, y, name in marked_points]
        named += [Named(x, y, name, TEACHER if name == WITHOUT_KD else STUDENT) for x, y, name in fixed_points]
        add_labels(axes, named, [] if height is None else [height], [(x, y) for x, y, _ in sorted(place(sweep))])
        return figure


def _scaled(values: np.ndarray, by: float) -> np.ndarray:
    return values * by
