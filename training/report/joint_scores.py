"""Which of MT-DNN's scores can stand beside the searches' scores: those of the same metric and the same rows."""

from collections.abc import Mapping
from pathlib import Path

from training.baselines.joint_result import FILE, JointResult
from training.baselines.joint_settings import TaskSettings, read_joint_settings
from training.search.result import SearchResult


def comparable_scores(
    joint: JointResult, folder: Path, searches: Mapping[str, SearchResult]
) -> tuple[JointResult, list[str]]:
    """Returns the joint result without the scores that cannot be compared, and a sentence for each of their tasks.

    folder: where joint.json is. searches: by task. Without the joint training's settings nothing is left out.
    Raises TrainingError if these settings are damaged.
    """
    settings = read_joint_settings(folder)
    if settings is None:
        return joint, []
    sentences: dict[str, str] = {}
    for task, of_task in settings.tasks.items():
        difference = _difference(of_task, searches[task]) if task in searches else ""
        if difference:
            sentences[task] = (
                f"{folder / FILE}: the scores of {task} cannot be compared with its search ({difference}): run "
                "`espalier joint` with the search's rows; `metric` in the task's task.json is the metric of both."
            )
    fields = ("full", "leave_one_out", "full_figures", "leave_one_out_figures")
    kept = {
        field: {task: value for task, value in getattr(joint, field).items() if task not in sentences}
        for field in fields
    }
    return joint.model_copy(update=kept), list(sentences.values())


def _difference(joint: TaskSettings, search: SearchResult) -> str:
    """Says in what the two differ first; empty if in nothing."""
    for name in ("metric", "data_sha256", "train_rows", "dev_rows"):
        here, there = getattr(joint, name), getattr(search, name)
        if here != there:
            return f"{name.replace('_', ' ')} {here} here, {there} there"
    return ""
