"""The best score by the number of epochs that were trained: does a longer run gain?"""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from training.report.collected_results import SearchedTask
from training.report.figures.panels import add_legend, new_panels
from training.report.figures.style import BASELINE, STUDENT, TEACHER, VANILLA, pad_score_axis, style
from training.report.metric_names import metric_name
from training.search.convergence import Convergence, convergence

_LOOKS = (
    ("full", "full fine-tuning", BASELINE, "--s"),
    ("LoRA", "LoRA", VANILLA, "-.^"),
    ("the teacher", "chosen teacher", TEACHER, "-o"),
    ("the student", "students", STUDENT, "-D"),
)


def with_longer_runs(tasks: Sequence[SearchedTask]) -> list[SearchedTask]:
    """Returns the tasks of which a way was trained with several numbers of epochs."""
    return [task for task in tasks if any(len(one.by_epochs) > 1 for one in convergence(task.result))]


def draw_convergence(tasks: Sequence[SearchedTask]) -> Figure:
    """Draws one panel per task, epochs on a scale of doublings, one line per way that had a longer run."""
    with style():
        titles = [(task.name, metric_name(task.result.metric)) for task in tasks]
        figure, panels = new_panels(titles, "epochs trained", "best score in points")
        for axes, task in zip(panels, tasks, strict=True):
            shown = [one for one in convergence(task.result) if len(one.by_epochs) > 1]
            epochs = sorted({number for one in shown for number in one.by_epochs})
            scores = [score for one in shown for score in one.by_epochs.values()]
            for one in shown:
                label, colour, line = _look(one)
                axes.plot(list(one.by_epochs), list(one.by_epochs.values()), line, color=colour, label=label)
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_locator(FixedLocator(epochs))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
            axes.set_xlim(epochs[0] / math.sqrt(2), epochs[-1] * math.sqrt(2))
            pad_score_axis(axes, min(scores), max(scores))
        add_legend(figure, panels)
        return figure


def _look(way: Convergence) -> tuple[str, str, str]:
    """label, colour and line of a way."""
    for start, label, colour, line in _LOOKS:
        if way.name.startswith(start):
            return label, colour, line
    return way.name, VANILLA, ":v"
