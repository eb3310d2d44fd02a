"""The score by l for both starts of a student: one panel per task, like the paper's Figure 2."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.collected_results import SearchedTask
from training.report.figures.panels import add_legend, new_panels
from training.report.figures.style import STUDENT, TEACHER, VANILLA, pad_score_axis, style
from training.report.metric_names import metric_name
from training.search.result import Role

_STARTS: tuple[tuple[Role, str, str, str], ...] = (
    ("student", "start from the teacher", STUDENT, "-o"),
    ("vanilla", "start from the pretrained encoder", VANILLA, "-^"),
)


def with_both_starts(tasks: Sequence[SearchedTask]) -> list[SearchedTask]:
    """Returns the tasks with finished students of both starts."""
    return [task for task in tasks if all(task.result.finished(role) for role, *_ in _STARTS)]


def draw_student_layers(tasks: Sequence[SearchedTask]) -> Figure:
    """Draws the best student of each l and start, the other trials faint, and the teacher dashed."""
    with style():
        titles = [(task.name, metric_name(task.result.metric)) for task in tasks]
        figure, panels = new_panels(titles, "l, layers of the student", "score in points")
        for axes, task in zip(panels, tasks, strict=True):
            _draw_panel(axes, task)
        add_legend(figure, panels)
        return figure


def _draw_panel(axes: Axes, task: SearchedTask) -> None:
    scores: list[float] = []
    layers: list[int] = []
    for role, label, colour, line in _STARTS:
        trials = [(trial.layers, trial.score) for trial in task.result.finished(role) if trial.score is not None]
        best = {layer: max(score for other, score in trials if other == layer) for layer, _ in trials}
        axes.plot(list(best), list(best.values()), line, color=colour, label=label)
        others = [point for point in trials if point[1] != best[point[0]]]
        if others:
            axes.plot(*zip(*others, strict=True), ".", color=colour, alpha=0.45)
        scores += [score for _, score in trials]
        layers += [layer for layer, _ in trials]
    if task.teacher.score is not None:
        axes.axhline(task.teacher.score, color=TEACHER, linestyle="--", linewidth=1.2, label="the teacher")
        scores.append(task.teacher.score)
    pad_score_axis(axes, min(scores), max(scores))
    axes.set_xticks(sorted(set(layers)))
    axes.set_xlim(min(layers) - 0.5, max(layers) + 0.5)
