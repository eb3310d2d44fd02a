"""Mixed selection among the students of all taps: one trunk depth for all tasks, then each task's walk below it."""

from training.errors import TrainingError
from training.selection.mixed import check_threshold, walk
from training.selection.options import Option, Options, TaskOptions
from training.selection.suite import Suite


def mixed_of_any_tap(options: Options, threshold: float) -> Suite:
    """Chooses the depth of the trunk and each task's branch, as `mixed` does, with the students of every tap.

    With a trunk of depth D a task may have any branch whose tap is at most D. A deeper trunk costs its layers once, for
    all tasks. So the choice walks over D as a task's walk goes over its layers: it starts at the least depth with which
    every task has a branch, and moves to the nearest deeper one that gains at least `threshold` points, summed over the
    tasks, for each layer that it adds in all.
    Raises TrainingError if the threshold is negative or not finite.
    """
    check_threshold(threshold)
    current: Suite | None = None
    for depth in range(1, options.encoder_layers):
        suite = _with_trunk(options, threshold, depth)
        if suite is None:
            continue
        if current is None:
            current = suite
            continue
        gain = sum(suite.tasks[task].score - current.tasks[task].score for task in suite.tasks)
        added = suite.total_layers - current.total_layers
        if round(gain, 9) >= round(threshold * added, 9) and (gain, -added) > (0, 0):
            current = suite
    if current is None:
        raise TrainingError("no trunk serves all tasks: search them with a common tap among --student-taps.")
    return current


def _with_trunk(options: Options, threshold: float, depth: int) -> Suite | None:
    """Returns the choice with a trunk of this depth; None if a task has no branch on it."""
    tasks = {}
    for task, of_task in options.tasks.items():
        steps = _steps(of_task, depth)
        if not steps:
            return None
        tasks[task] = walk(steps, threshold)
    return Suite(f"any tap (c = {threshold:g})", threshold, options.encoder_layers, tasks)


def _steps(options: TaskOptions, depth: int) -> list[Option]:
    """Returns the best branch of each number of layers whose tap is at most `depth`, fewest layers first."""
    best: dict[int, Option] = {}
    for option in (*options.students.values(), *options.other_taps, options.teacher):
        known = best.get(option.layers)
        if option.tap <= depth and (known is None or (option.score, -option.tap) > (known.score, -known.tap)):
            best[option.layers] = option
    return [best[layers] for layers in sorted(best)]
