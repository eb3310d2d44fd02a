"""The search results of one report."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.baselines import joint_result
from training.baselines.joint_result import JointResult, read_joint_result
from training.errors import TrainingError
from training.report.joint_scores import comparable_scores
from training.search import result as search_result
from training.search.result import SearchResult, Trial, read_result
from training.selection.options import Option, Options, TaskOptions
from training.selection.options_from_search import find_searched, read_searched, unfinished

GLUE = ("cola", "sst2", "mrpc", "stsb", "rte", "qnli", "qqp", "mnli")


@dataclass(frozen=True)
class SearchedTask:
    """A task's search: its folder, its result, and the branches that can serve the task."""

    folder: Path
    result: SearchResult
    options: TaskOptions

    @property
    def name(self) -> str:
        return self.result.task

    @property
    def teacher(self) -> Trial:
        """The chosen teacher."""
        assert self.result.teacher is not None  # otherwise the task would have no options
        return self.result.trials[self.result.teacher]

    def trial_of(self, option: Option) -> Trial:
        """Returns the training of one of the task's branches."""
        return self.teacher if option.role == "teacher" else self.result.best("student")[option.layers]

    @property
    def full_score(self) -> float | None:
        """The score of full fine-tuning; None if the search did not train it."""
        return None if self.options.full is None else self.options.full.score


@dataclass(frozen=True)
class CollectedResults:
    """The finished searches, and MT-DNN's result if it is there.

    tasks: the GLUE tasks first, in the order of GLUE, if all eight are there; then the others by name.
    left_out: one sentence for each folder or task that is left out, with the reason.
    unfinished: one sentence for each search that is there and has trainings left.
    """

    tasks: list[SearchedTask]
    left_out: list[str]
    joint: JointResult | None
    unfinished: list[str] = field(default_factory=list)

    @property
    def encoder(self) -> str:
        return self.tasks[0].result.encoder

    @property
    def encoder_layers(self) -> int:
        """N."""
        return self.tasks[0].result.encoder_layers

    @property
    def names(self) -> list[str]:
        return [task.name for task in self.tasks]

    @property
    def glue(self) -> list[str]:
        """The eight GLUE tasks if all are there, else an empty list."""
        return list(GLUE) if set(GLUE) <= set(self.names) else []

    @property
    def options(self) -> Options:
        """The options of all tasks, for the selection."""
        return Options(self.encoder_layers, {task.name: task.options for task in self.tasks})


def collect_results(paths: Sequence[Path]) -> CollectedResults:
    """Reads the results in `paths`: searched task folders, or folders of them with their joint.json.

    Raises TrainingError if a path holds no result, a result is damaged, no search has finished, a task has two results,
    or the results are of different encoders.
    """
    folders, joints, left_out = _look_into(paths)
    tasks: dict[str, SearchedTask] = {}
    for folder in folders:
        result = read_result(folder)
        if not re.fullmatch(r"\w+", result.task):  # the report's files are named after it
            raise TrainingError(f"{folder / search_result.FILE}: task: {result.task!r} is not a task name.")
        try:
            options = read_searched([folder])
        except TrainingError as error:
            left_out.append(str(error))
            continue
        if result.task in tasks:
            raise TrainingError(f"{tasks[result.task].folder} and {folder} are both of task {result.task}: give one.")
        tasks[result.task] = SearchedTask(folder, result, options.tasks[result.task])
    if not tasks:
        raise TrainingError("nothing to report: " + (left_out[0] if left_out else "give searched tasks."))
    _check_one_encoder(tasks.values(), joints.values())
    joint = None
    for home, found in joints.items():
        joint, differing = comparable_scores(found, home, {name: task.result for name, task in tasks.items()})
        left_out += differing
    first = GLUE if set(GLUE) <= set(tasks) else ()
    in_order = [tasks[name] for name in dict.fromkeys([*first, *sorted(tasks)])]
    sentences = unfinished([task.folder for task in in_order])
    return CollectedResults(in_order, left_out, joint, sentences)


def _look_into(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, JointResult], list[str]]:
    """Returns the task folders, the joint result (at most one) by its folder, a sentence for each without a result."""
    folders: list[Path] = []
    homes: list[Path] = []
    left_out: list[str] = []
    for path in paths:
        if path.name == joint_result.FILE and path.is_file():  # RESULTS/* names it too
            homes.append(path.parent)
            continue
        if not path.is_dir():
            raise TrainingError(f"{path} is not a folder: give what `espalier search` wrote, or a folder of that.")
        found, others = find_searched([path])
        folders += found
        left_out += [f"{folder} holds no search result." for folder in others]
        if path not in found:
            homes.append(path)
    joints = {home: joint for home in homes if (joint := read_joint_result(home)) is not None}
    if len(joints) > 1:
        raise TrainingError(
            f"several {joint_result.FILE} were given: a report compares with one joint model, so give one."
        )
    return list(dict.fromkeys(folders)), joints, left_out


def _check_one_encoder(tasks: Iterable[SearchedTask], joints: Iterable[JointResult]) -> None:
    encoders = {(task.result.encoder, task.result.encoder_layers): f"task {task.name}" for task in tasks}
    encoders |= {(joint.encoder, joint.encoder_layers): joint_result.FILE for joint in joints}
    if len(encoders) > 1:
        found = ", ".join(f"{name} with {layers} layers in {of}" for (name, layers), of in encoders.items())
        raise TrainingError(
            f"the results are of different encoders ({found}): one trunk serves one encoder, so report separately."
        )
