"""The choice of each task's branch: mixed (by the gain per layer), and the fixed choices to compare it with."""

import math
from collections.abc import Sequence

from training.errors import TrainingError
from training.selection.options import Option, Options
from training.selection.suite import Suite


def mixed(options: Options, threshold: float) -> Suite:
    """Chooses for each task the branch at which the walk of the paper's section 4.2 ends.

    threshold: c, the points that each added layer must bring. Raises TrainingError if it is negative or not finite.
    """
    check_threshold(threshold)
    tasks = {
        task: walk((*of_task.students.values(), of_task.teacher), threshold) for task, of_task in options.tasks.items()
    }
    return Suite(f"mixed (c = {threshold:g})", threshold, options.encoder_layers, tasks)


def check_threshold(threshold: float) -> None:
    """Raises TrainingError if a threshold is negative or not finite."""
    if not (math.isfinite(threshold) and threshold >= 0):
        raise TrainingError(f"the threshold must be 0 or more points per layer, not {threshold:g}.")


def walk(options: Sequence[Option], threshold: float) -> Option:
    """Returns where a task's walk ends. options: at least one, by ascending layers.

    It starts at the fewest layers and moves to the nearest larger option that gains at least `threshold` points per
    added layer over the current one, skipping options that do not, until none does.

    Gains are compared to nine decimals: 88.6 - 86.4 is 2.2 points, but a little less in floating point.
    """
    current, *larger = options
    for option in larger:
        gain = option.score - current.score
        if round(gain, 9) >= round(threshold * (option.layers - current.layers), 9):
            current = option
    return current


def distilled(options: Options, layers: int) -> Suite:
    """KD-l: chooses each task's student of `layers` layers, or its teacher if that has at most `layers` layers.

    Raises TrainingError, naming the task, if a task has neither.
    """
    tasks = {}
    for task, of_task in options.tasks.items():
        if of_task.teacher.layers <= layers:
            tasks[task] = of_task.teacher
        elif layers in of_task.students:
            tasks[task] = of_task.students[layers]
        else:
            raise TrainingError(f"task {task} has no student of {layers} layers.")
    return Suite(f"KD-{layers}", None, options.encoder_layers, tasks)


def without_distillation(options: Options) -> Suite:
    """w/o KD: chooses each task's teacher."""
    tasks = {task: of_task.teacher for task, of_task in options.tasks.items()}
    return Suite("w/o KD", None, options.encoder_layers, tasks)


def full_fine_tuning(options: Options) -> Suite:
    """Chooses a whole encoder for each task. Raises TrainingError, naming the task, if its score is missing."""
    tasks = {}
    for task, of_task in options.tasks.items():
        if of_task.full is None:
            raise TrainingError(f"task {task} has no score of full fine-tuning.")
        tasks[task] = of_task.full
    return Suite("full fine-tuning", None, options.encoder_layers, tasks)
