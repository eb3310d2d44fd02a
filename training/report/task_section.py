"""The section of the page on one task."""

from dataclasses import dataclass

from training.kinds import Kind
from training.report.analysis.predicted import Predicted
from training.report.collected_results import SearchedTask
from training.report.error_section import ErrorSection, make_error_section
from training.report.figures.learning_curves import draw_learning_curves
from training.report.image import Image, image_of
from training.report.metric_names import metric_name
from training.report.numbers import points
from training.selection.options import Option


@dataclass(frozen=True)
class TaskSection:
    """facts: kind and size of the task. chosen: its branch. failed: the trials that failed, with the reason."""

    name: str
    facts: str
    chosen: str
    failed: list[str]
    curves: Image
    errors: ErrorSection


def make_task_section(task: SearchedTask, option: Option, predicted: Predicted | str) -> TaskSection:
    """Builds the section. option: the chosen branch. predicted: its answers, or the reason why they are missing."""
    result = task.result
    labels = "" if result.kind is Kind.PAIR_REGRESSION else f", {len(result.labels)} labels"
    facts = (
        f"{str(result.kind).replace('_', ' ').capitalize()}{labels}; {result.train_rows:,} train rows and "
        f"{result.dev_rows:,} dev rows"
        + (f", besides {result.held_rows:,} that chose nothing." if result.held_rows else ".")
    )
    trial = task.trial_of(option)
    told = trial.held_scores or trial.scores
    scores = ", ".join(f"{metric_name(metric)} {points(score)}" for metric, score in told.items())
    scores += ", on the rows that chose nothing" if trial.held_scores else ""
    chosen = f"{option.role} of {option.layers} {'layer' if option.layers == 1 else 'layers'} on tap {option.tap}" + (
        f": {scores}" if scores else ""
    )
    failed = [
        f"{trial.role} of {trial.layers} layers, learning rate {trial.learning_rate:g}, seed {trial.seed}: "
        f"{trial.message or 'no reason was recorded'}"
        for trial in result.trials
        if trial.state == "failed"
    ]
    curves = image_of(
        draw_learning_curves(task.teacher, result.best("student"), metric_name(result.metric)),
        f"task_{task.name}_learning_curves.png",
        f"dev score of {task.name} after each epoch",
    )
    errors = ErrorSection([predicted]) if isinstance(predicted, str) else make_error_section(task, predicted)
    return TaskSection(task.name, facts, chosen, failed, curves, errors)
