"""The score by L: one panel per task, the figures of the paper's Table 1."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.collected_results import SearchedTask
from training.report.figures.panels import add_legend, new_panels
from training.report.figures.style import BASELINE, TEACHER, pad_score_axis, style
from training.report.metric_names import metric_name


def draw_teacher_layers(tasks: Sequence[SearchedTask]) -> Figure:
    """Draws finished teachers, the best of each L joined by a line, pruned ones hollow, full fine-tuning dashed."""
    with style():
        titles = [(task.name, metric_name(task.result.metric)) for task in tasks]
        figure, panels = new_panels(titles, "L, layers fine-tuned", "score in points")
        for axes, task in zip(panels, tasks, strict=True):
            _draw_panel(axes, task)
        add_legend(figure, panels)
        return figure


def _draw_panel(axes: Axes, task: SearchedTask) -> None:
    result = task.result
    best = {layers: trial.score for layers, trial in result.best("teacher").items() if trial.score is not None}
    finished = [(trial.layers, trial.score) for trial in result.finished("teacher") if trial.score is not None]
    pruned = [
        (trial.layers, trial.epochs[max(trial.epochs)])
        for trial in result.trials
        if trial.role == "teacher" and trial.state == "pruned" and trial.epochs
    ]
    others = [point for point in finished if point != (point[0], best[point[0]])]
    axes.plot(list(best), list(best.values()), "-o", color=TEACHER, label="best teacher of each L")
    if others:
        axes.plot(*zip(*others, strict=True), ".", color=TEACHER, alpha=0.45, label="its other trials")
    if pruned:
        axes.plot(
            *zip(*pruned, strict=True), "o", color=TEACHER, markerfacecolor="white", label="pruned, at its last epoch"
        )
    chosen = task.teacher
    if chosen.score is not None:
        axes.plot(
            chosen.layers,
            chosen.score,
            "o",
            markersize=11,
            markerfacecolor="none",
            color=TEACHER,
            label="chosen teacher",
        )
    if task.full_score is not None:
        axes.axhline(task.full_score, color=BASELINE, linestyle="--", linewidth=1.2, label="full fine-tuning")
    points = finished + pruned
    scores = [score for _, score in points] + ([task.full_score] if task.full_score is not None else [])
    pad_score_axis(axes, min(scores), max(scores))
    layers = range(min(layer for layer, _ in points), max(layer for layer, _ in points) + 1)
    axes.set_xticks(list(layers))
    axes.set_xlim(layers[0] - 0.5, layers[-1] + 0.5)
