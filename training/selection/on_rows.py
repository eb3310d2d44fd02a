"""Scores chosen branches on rows that chose nothing: the way to a verdict without luck."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from training.errors import TrainingError
from training.figure import Figure
from training.selection.options import Option
from training.selection.suite import Suite

Tell = Callable[[str], None]


def files_by_task(files: Sequence[Path], tasks: Sequence[str]) -> dict[str, Path]:
    """Returns each task's file: the one that is named after it (rte.jsonl), or that lies in a folder of its name.

    Raises TrainingError if a file belongs to no task or a task has none or two.
    """
    found: dict[str, Path] = {}
    for file in files:
        names = [name for name in (file.stem, file.absolute().parent.name) if name in tasks]
        if not names:
            raise TrainingError(
                f"{file} belongs to none of the tasks {', '.join(tasks)}: name the file, or its folder, after its task."
            )
        if names[0] in found:
            raise TrainingError(f"{found[names[0]]} and {file} are both of task {names[0]}: give one.")
        found[names[0]] = file
    missing = [task for task in tasks if task not in found]
    if missing:
        raise TrainingError(f"task {missing[0]} has no --data file: give one for each of {', '.join(tasks)}.")
    return found


def score_suites(suites: Sequence[Suite], files: dict[str, Path], tell: Tell) -> list[Suite]:
    """Returns the suites with each branch's figure on the task's file. Each checkpoint is scored once.

    tell: told of each checkpoint before it is scored. Raises TrainingError if a checkpoint or a file cannot be read.
    """
    from training.checkpoint_scores import CheckpointScorer  # it needs torch, which choosing alone does not

    scorer = CheckpointScorer()
    figures: dict[Path, Figure] = {}

    def scored(task: str, option: Option) -> Option:
        if option.checkpoint is None:
            raise TrainingError(
                f"task {task}: its {option.role} of {option.layers} layers has no weights: search it again."
            )
        if option.checkpoint not in figures:
            tell(f"{task}: {option.role}, layers: {option.layers}")
            found = scorer.score(option.checkpoint, files[task])
            figures[option.checkpoint] = Figure(
                rows=found.rows, score=found.score, draws=found.draws, chose_nothing=True
            )
        return replace(option, figure=figures[option.checkpoint])

    return [
        replace(suite, tasks={task: scored(task, option) for task, option in suite.tasks.items()}) for suite in suites
    ]
