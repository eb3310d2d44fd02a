"""The choice of each task's branch: mixed, by marginal benefit, and the fixed choices it is compared with."""

import math

from training.errors import TrainingError
from training.selection.options import Option, Options, TaskOptions
from training.selection.suite import Suite


def mixed(options: Options, threshold: float) -> Suite:
    """For each task the branch that the walk of section 4.2 ends at.

    threshold: c, the points that each added layer must bring. Raises TrainingError if it is negative or no number.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise TrainingError(f"the threshold must be 0 or more points per layer, not {threshold:g}.")
    tasks = {task: _walk(of_task, threshold) for task, of_task in options.tasks.items()}
    return Suite(f"mixed (c = {threshold:g})", threshold, options.encoder_layers, tasks)


def _walk(options: TaskOptions, threshold: float) -> Option:
    """From the fewest layers to the nearest larger option that gains at least `threshold` points per added layer over
    the present one, passing over options that do not, until none does.

    Compared to nine decimals: 88.6 - 86.4 is 2.2 points, in floating point a little less.
    """
    present, *larger = (*options.students.values(), options.teacher)
    for option in larger:
        gain = option.score - present.score
        if round(gain, 9) >= round(threshold * (option.layers - present.layers), 9):
            present = option
    return present


def distilled(options: Options, layers: int) -> Suite:
    """KD-l: every task with its student of `layers` layers; its teacher where that has no more layers.

    Raises TrainingError, naming the task, if there is neither.
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
    """w/o KD: every task with its teacher."""
    tasks = {task: of_task.teacher for task, of_task in options.tasks.items()}
    return Suite("w/o KD", None, options.encoder_layers, tasks)


def full_fine_tuning(options: Options) -> Suite:
    """The baseline: a whole encoder for every task. Raises TrainingError, naming the task, if a score is missing."""
    tasks = {}
    for task, of_task in options.tasks.items():
        if of_task.full is None:
            raise TrainingError(f"task {task} has no score of full fine-tuning.")
        tasks[task] = of_task.full
    return Suite("full fine-tuning", None, options.encoder_layers, tasks)
