"""The dev score of one task's teacher and students after each epoch."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.report.figures.style import STUDENT, TEACHER, new_figure, pad_score_axis, style
from training.search.result import Trial

_MARKERS = "osD^v"


def draw_learning_curves(teacher: Trial, students: Mapping[int, Trial], metric: str) -> Figure:
    """Draws one curve per branch. students: by l. metric: the name for the axis."""
    with style():
        figure = new_figure(4.6, 2.6)
        axes = figure.subplots()
        curves = [(f"teacher, L = {teacher.layers}", teacher, TEACHER, "-o")]
        for number, (layers, trial) in enumerate(sorted(students.items())):
            curves.append((f"student, l = {layers}", trial, STUDENT, f"--{_MARKERS[(number + 1) % len(_MARKERS)]}"))
        scores: list[float] = []
        for label, trial, colour, line in curves:
            epochs = dict(sorted(trial.epochs.items()))
            axes.plot(list(epochs), list(epochs.values()), line, color=colour, label=label, linewidth=1.2)
            scores += epochs.values()
        if scores:
            pad_score_axis(axes, min(scores), max(scores))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric)
        figure.legend(loc="outside right upper", fontsize=8)
        return figure
