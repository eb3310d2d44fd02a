"""MT-DNN in full: joint training of all tasks, and leave-one-out (paper, section 4.2), resumable."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from training.baselines.joint_head import train_head
from training.baselines.joint_result import FILE, JointResult, read_joint_result, write_joint_result
from training.baselines.joint_settings import FILE as SETTINGS_FILE
from training.baselines.joint_settings import JointSettings
from training.baselines.joint_training import train_jointly
from training.errors import NotFiniteError, TrainingError
from training.prepared_task import PreparedTask
from training.recorded_settings import check_recorded_settings, record_settings

# Beside joint.json and hidden, so that what reads a folder of results takes it for none.
HOME: Final = ".joint"

Report = Callable[[str], None]
# title -> the scores to keep
Train = Callable[[str], dict[str, float]]


def train_joint_baseline(
    folder: Path, tasks: Sequence[PreparedTask], settings: JointSettings, left_out: Sequence[str], report: Report
) -> JointResult:
    """Does what `folder`'s joint.json lacks: the model of all tasks, then one for each name in `left_out` without it.

    joint.json is replaced after each training, so a call after any end repeats no finished one. A training whose loss
    is no number does not keep the others from being done.
    Raises TrainingError if the folder holds another joint training, another process is at work on it, or, in the end,
    if a training failed.
    """
    home = folder / HOME
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "lock", blocking=False):
            if (folder / FILE).exists():
                check_recorded_settings(home / SETTINGS_FILE, settings, "a joint training")
            else:  # no training has finished, so other settings spoil nothing
                record_settings(home / SETTINGS_FILE, settings)
            return _train_missing(folder, tasks, settings, left_out, report)
    except Timeout:
        raise TrainingError(
            f"another process trains the joint model of {folder}: wait for its end, or choose another --output."
        ) from None


def _train_missing(
    folder: Path, tasks: Sequence[PreparedTask], settings: JointSettings, left_out: Sequence[str], report: Report
) -> JointResult:
    result = read_joint_result(folder) or JointResult(
        encoder=settings.encoder,
        encoder_layers=tasks[0].encoder.layers,
        full={},
        leave_one_out={},
        seconds=0.0,
    )
    # Each training with the field of the result that its scores belong to.
    todo: list[tuple[str, str, Train]] = []
    if not result.full:
        todo.append(("full", f"joint training of {len(tasks)} tasks", lambda title: _all(tasks, settings, title)))
    for name in dict.fromkeys(left_out):
        if name not in result.leave_one_out:
            todo.append(("leave_one_out", f"joint training without {name}", _without(name, tasks, settings)))

    failures: list[NotFiniteError] = []
    for number, (field, title, train) in enumerate(todo, start=1):
        start = time.perf_counter()
        try:
            scores = train(title)
        except NotFiniteError as error:
            failures.append(error)
            report(f"{title} ({number} of {len(todo)}) failed: {error}")
            continue
        seconds = time.perf_counter() - start
        added = {field: getattr(result, field) | scores, "seconds": result.seconds + seconds}
        result = result.model_copy(update=added)
        write_joint_result(folder, result)
        found = ", ".join(f"{task} {score:.2f}" for task, score in scores.items())
        report(f"{title} ({number} of {len(todo)}): {found}; {seconds:.0f} s")
    if failures:
        raise TrainingError(f"{len(failures)} of {len(todo)} joint trainings failed; the last one: {failures[-1]}")
    return result


def _all(tasks: Sequence[PreparedTask], settings: JointSettings, title: str) -> dict[str, float]:
    return train_jointly(tasks, settings.hyper, title)[1]


def _without(name: str, tasks: Sequence[PreparedTask], settings: JointSettings) -> Train:
    """The training that ends in the score of the task `name` on the frozen joint model of the others."""
    (task,) = (task for task in tasks if task.name == name)
    others = [other for other in tasks if other is not task]

    def train(title: str) -> dict[str, float]:
        encoder, _ = train_jointly(others, settings.hyper, title)
        return {name: train_head(task, encoder, settings.head_hyper).scores[task.metric]}

    return train
