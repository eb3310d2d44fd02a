"""The score of students by their tap: does another tap than the teacher's help?"""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.report.collected_results import SearchedTask
from training.report.figures.panels import add_legend, new_panels
from training.report.figures.style import BASELINE, MIXED, STUDENT, TEACHER, VANILLA, pad_score_axis, style
from training.report.metric_names import metric_name

_COLOURS = (STUDENT, TEACHER, VANILLA, MIXED)
_MARKERS = "oDs^"


def with_other_taps(tasks: Sequence[SearchedTask]) -> list[SearchedTask]:
    """Returns the tasks with finished students at other taps than their teacher's."""
    return [task for task in tasks if task.result.best_of_other_taps()]


def draw_student_taps(tasks: Sequence[SearchedTask]) -> Figure:
    """Draws one panel per task and one line per l; the teacher's own tap is marked by a vertical line."""
    with style():
        titles = [(task.name, metric_name(task.result.metric)) for task in tasks]
        figure, panels = new_panels(titles, "tap: trunk layers below the student", "score in points")
        for axes, task in zip(panels, tasks, strict=True):
            own_tap = task.result.encoder_layers - task.teacher.layers
            scores = {place: trial.score or 0.0 for place, trial in task.result.best_of_other_taps().items()}
            scores |= {(own_tap, layers): trial.score or 0.0 for layers, trial in task.result.best("student").items()}
            for number, layers in enumerate(sorted({layers for _, layers in scores})):
                line = sorted((tap, score) for (tap, of), score in scores.items() if of == layers)
                look = f"-{_MARKERS[number % len(_MARKERS)]}"
                colour = _COLOURS[number % len(_COLOURS)]
                axes.plot(*zip(*line, strict=True), look, color=colour, label=f"l = {layers}")
            axes.axvline(own_tap, color=BASELINE, linestyle=":", linewidth=1.2, label="the teacher's own tap")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            pad_score_axis(axes, min(scores.values()), max(scores.values()))
        add_legend(figure, panels)
        return figure
