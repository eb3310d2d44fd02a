"""The cost of each search, in full fine-tunings of the same task."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from training.report.collected_results import SearchedTask
from training.report.figures.style import BASELINE, MIXED, PARTS, WIDTH, new_figure, style

GOAL = 3.0
PAPER = 10.0  # appendix B: seven teachers and three students


def draw_search_cost(tasks: Sequence[SearchedTask]) -> Figure:
    """Draws one stacked bar per task. All tasks must have the baseline full fine-tuning."""
    with style():
        figure = new_figure(WIDTH, 1.4 + 0.3 * len(tasks))
        axes = figure.subplots()
        costs = [task.result.cost.fairest for task in tasks]
        parts = {
            "hidden states of the frozen layers": [cost.hidden_states for cost in costs],
            "teachers": [cost.teachers for cost in costs],
            "teacher logits": [cost.teacher_logits for cost in costs],
            "students": [cost.students for cost in costs],
        }
        if any(cost.other_taps for cost in costs):
            parts["students of other taps"] = [cost.other_taps for cost in costs]
        if any(cost.longer_runs for cost in costs):
            parts["longer runs, to show convergence"] = [cost.longer_runs for cost in costs]
        units = np.array([cost.full_fine_tuning for cost in costs], dtype=float)
        rows = np.arange(len(tasks))
        left = np.zeros(len(tasks))
        for (name, seconds), colour in zip(parts.items(), PARTS, strict=False):
            widths = np.array(seconds) / units
            axes.barh(rows, widths, left=left, height=0.7, color=colour, label=name)
            left += widths
        limit = 1.06 * max(PAPER, left.max())
        for row, ratio in zip(rows, left, strict=True):
            axes.text(_beside(ratio + 0.08, limit), row, f"{ratio:.1f}", va="center", zorder=3)
        axes.axvline(GOAL, color=MIXED, linestyle="--", linewidth=1.2, label=f"goal: {GOAL:.0f}")
        axes.axvline(PAPER, color=BASELINE, linestyle=":", linewidth=1.5, label=f"the paper: about {PAPER:.0f}")
        axes.set_yticks(rows, [task.name for task in tasks])
        axes.set_ylim(len(tasks) - 0.4, -0.6)
        axes.set_xlim(0, limit)
        axes.set_xlabel("cost of the search in full fine-tunings of the same task")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper left", ncols=3)
        return figure


def _beside(x: float, limit: float) -> float:
    """Returns where a number that would begin at `x` lies on neither line. limit: the end of the axis."""
    width = 0.045 * limit  # of a number like 12.3
    for line in (GOAL, PAPER):
        if x - 0.02 <= line <= x + width:
            return line + 0.01 * limit
    return x
