"""The columns of the comparison table: the ways to serve the tasks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from training.figure import Figure, average_error, share_error
from training.report.collected_results import CollectedResults, SearchedTask
from training.search.result import Trial
from training.selection.options import Option
from training.selection.options_from_search import figure_of
from training.selection.suite import Suite

WITHOUT_KD = "w/o KD"


@dataclass(frozen=True)
class Column:
    """One way to serve the tasks. Its maps lack the tasks for which it was not trained.

    scores: task -> points. shapes: task -> (tap, the task's own layers); empty for a way that nobody would serve.
    marks: task -> the branch with that score, if it differs by task: T5 is a teacher, s2 a student.
    figures: task -> the score with its standard error, where that is known.
    """

    name: str
    scores: dict[str, float]
    shapes: dict[str, tuple[int, int]]
    marks: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)

    def error(self, task: str) -> float | None:
        """Returns the standard error of a task's score; None if it is not known."""
        return self.figures[task].error if task in self.figures else None

    def average_error(self, tasks: Sequence[str]) -> float | None:
        """Returns the standard error of the mean score; None if that of a task is not known."""
        return average_error([self.figures[task] for task in tasks]) if self._has_figures(tasks) else None

    def share_error(self, other: "Column", tasks: Sequence[str]) -> float | None:
        """Returns the standard error of share_of, paired by task; None if a figure is not known."""
        both = [task for task in tasks if task in self.scores and task in other.scores]
        if not (self._has_figures(both) and other._has_figures(both)):
            return None
        return share_error([self.figures[task] for task in both], [other.figures[task] for task in both])

    def _has_figures(self, tasks: Sequence[str]) -> bool:
        return bool(tasks) and all(task in self.figures for task in tasks)

    def average(self, tasks: Sequence[str]) -> float | None:
        """Returns the mean score; None if a task has no score."""
        if not all(task in self.scores for task in tasks):
            return None
        return sum(self.scores[task] for task in tasks) / len(tasks)

    def layers(self, tasks: Sequence[str]) -> int | None:
        """Returns the layers that serve these tasks: the deepest tap and each task's own. None if one is missing."""
        if not all(task in self.shapes for task in tasks):
            return None
        shapes = [self.shapes[task] for task in tasks]
        return max(tap for tap, _ in shapes) + sum(own for _, own in shapes)

    def overhead(self, tasks: Sequence[str], encoder_layers: int) -> float | None:
        """Returns these layers as a share of one whole encoder per task."""
        layers = self.layers(tasks)
        return None if layers is None else layers / (encoder_layers * len(tasks))

    def share_of(self, other: "Column", tasks: Sequence[str]) -> float | None:
        """Returns its average as a share of the other's, over the tasks with both scores; None without such a task."""
        both = [task for task in tasks if task in self.scores and task in other.scores]
        total = sum(other.scores[task] for task in both)
        return sum(self.scores[task] for task in both) / total if total else None


def full_fine_tuning_column(results: CollectedResults) -> Column:
    """Returns the baseline: one whole encoder per task."""
    chosen = {task.name: task.options.full for task in results.tasks if task.options.full is not None}
    return _column("full fine-tuning", chosen, set())


def lora_columns(results: CollectedResults) -> list[Column]:
    """Returns LoRA if a task has it: adapters in every layer, so that each task needs its own pass through them all."""
    best = {task.name: task.result.best("lora").get(results.encoder_layers) for task in results.tasks}
    column = Column("LoRA", {}, {})
    for task in results.tasks:
        _add(column, task, best[task.name], (0, results.encoder_layers))
    return [column] if column.scores else []


def joint_columns(results: CollectedResults) -> list[Column]:
    """Returns MT-DNN trained on all tasks (one encoder serves them), and on all but one (nobody would serve that)."""
    if results.joint is None:
        return []
    joint = results.joint
    full, left_out = (
        Column(name, {}, {}, figures={task: figures[task] for task in results.names if task in figures})
        for name, figures in (
            ("MT-DNN (full)", joint.full_figures),
            ("MT-DNN (LOO)", joint.leave_one_out_figures),
        )
    )
    for column, scores in ((full, joint.full), (left_out, joint.leave_one_out)):
        told = {task: column.figures[task].score for task in column.figures}
        column.scores.update({task: told.get(task, scores[task]) for task in results.names if task in scores})
    full.shapes.update(dict.fromkeys(full.scores, (results.encoder_layers, 0)))
    return [full, left_out]


def vanilla_columns(results: CollectedResults) -> list[Column]:
    """Returns a column for each l that a task has: students that start from the pretrained encoder."""
    best = {task.name: task.result.best("vanilla") for task in results.tasks}
    columns = []
    for layers in sorted({layers for trials in best.values() for layers in trials}):
        column = Column(f"vanilla KD-{layers}", {}, {})
        for task in results.tasks:
            _add(column, task, best[task.name].get(layers), (task.options.teacher.tap, layers))
        columns.append(column)
    return columns


def distilled_columns(results: CollectedResults) -> list[Column]:
    """Returns KD-l for each l that a task has. A task whose teacher has at most l layers keeps the teacher."""
    columns = []
    for layers in sorted({layers for task in results.tasks for layers in task.options.students}):
        chosen: dict[str, Option] = {}
        for task in results.tasks:
            teacher = task.options.teacher
            option = teacher if teacher.layers <= layers else task.options.students.get(layers)
            if option is not None:
                chosen[task.name] = option
        columns.append(_column(f"KD-{layers}", chosen, {name for name in chosen if chosen[name].role == "teacher"}))
    return columns


def without_distillation_column(results: CollectedResults) -> Column:
    """Returns w/o KD: each task's chosen teacher."""
    chosen = {task.name: task.options.teacher for task in results.tasks}
    return _column(WITHOUT_KD, chosen, set(chosen))


def suite_column(suite: Suite) -> Column:
    """Returns the column of a suite, with a mark for each branch."""
    return _column(suite.name, dict(suite.tasks), set(suite.tasks))


def _add(column: Column, task: SearchedTask, trial: Trial | None, shape: tuple[int, int]) -> None:
    """Adds a baseline's trial to its column, if there is one."""
    if trial is None or trial.score is None:
        return
    figure = figure_of(trial, task.result)
    column.scores[task.name], column.shapes[task.name] = trial.score if figure is None else figure.score, shape
    if figure is not None:
        column.figures[task.name] = figure


def _column(name: str, chosen: dict[str, Option], marked: set[str]) -> Column:
    scores = {task: option.told for task, option in chosen.items()}
    shapes = {task: (option.tap, option.layers) for task, option in chosen.items()}
    marks = {task: _mark(option) for task, option in chosen.items() if task in marked}
    figures = {task: option.figure for task, option in chosen.items() if option.figure is not None}
    return Column(name, scores, shapes, marks, figures)


def _mark(option: Option) -> str:
    """Returns 'T5' for a teacher of 5 layers, 's2' for a student of 2."""
    return f"{'T' if option.role == 'teacher' else 's'}{option.layers}"
