"""The baseline MT-DNN: joint training of all tasks, and leave-one-out (paper, section 4.2). It can be resumed."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from training.baselines.baseline_checkpoint import BaselineRole
from training.baselines.joint_head import train_head
from training.baselines.joint_kept import Keeper
from training.baselines.joint_result import FILE, JointResult, read_joint_result, write_joint_result
from training.baselines.joint_settings import FILE as SETTINGS_FILE
from training.baselines.joint_settings import HOME, JointSettings
from training.baselines.joint_training import train_jointly
from training.errors import NotFiniteError, TrainingError
from training.prepared_task import PreparedTask
from training.recorded_settings import check_recorded_settings, record_settings

Report = Callable[[str], None]
# title, what keeps weights and figures -> the scores to keep
Train = Callable[[str, Keeper], dict[str, float]]


def train_joint_baseline(
    folder: Path, tasks: Sequence[PreparedTask], settings: JointSettings, left_out: Sequence[str], report: Report
) -> JointResult:
    """Trains what `folder`'s joint.json lacks: the model of all tasks, and for each name in `left_out` one without it.

    joint.json is replaced after each training, so a later call repeats no finished training. If a loss becomes NaN or
    infinite, the other trainings still run.
    Raises TrainingError if the folder holds a joint training with other settings, if another process works on it, or,
    at the end, if a training failed.
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
            f"another process trains the joint model of {folder}: wait until it ends, or choose another --output."
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
    # Each training, with the field of the result for its scores.
    todo: list[tuple[str, str, Train]] = []
    if not result.full:
        todo.append(("full", f"joint training of {len(tasks)} tasks", partial(_all, tasks, settings)))
    for name in dict.fromkeys(left_out):
        if name not in result.leave_one_out:
            todo.append(("leave_one_out", f"joint training without {name}", _without(name, tasks, settings)))

    failures: list[NotFiniteError] = []
    for number, (field, title, train) in enumerate(todo, start=1):
        start, processor = time.perf_counter(), time.process_time()
        role: BaselineRole = "joint" if field == "full" else "left_out"
        keeper = Keeper(folder / HOME / field, role, settings.hyper if field == "full" else settings.head_hyper)
        try:
            scores = train(title, keeper)
        except NotFiniteError as error:
            failures.append(error)
            report(f"{title} ({number} of {len(todo)}) failed: {error}")
            continue
        seconds = time.perf_counter() - start
        figures = f"{field}_figures"
        added = {
            field: getattr(result, field) | scores,
            figures: getattr(result, figures) | keeper.figures,
            "seconds": result.seconds + seconds,
            "processor_seconds": result.processor_seconds + time.process_time() - processor,
        }
        result = result.model_copy(update=added)
        write_joint_result(folder, result)
        found = ", ".join(f"{task} {score:.2f}" for task, score in scores.items())
        report(f"{title} ({number} of {len(todo)}): {found}; {seconds:.0f} s")
    if failures:
        raise TrainingError(f"{len(failures)} of {len(todo)} joint trainings failed; the last one: {failures[-1]}")
    return result


def _all(tasks: Sequence[PreparedTask], settings: JointSettings, title: str, keeper: Keeper) -> dict[str, float]:
    return train_jointly(tasks, settings.hyper, title, keep=keeper)[1]


def _without(name: str, tasks: Sequence[PreparedTask], settings: JointSettings) -> Train:
    """Returns the training that scores the task `name` on the frozen joint model of the other tasks."""
    (task,) = (task for task in tasks if task.name == name)
    others = [other for other in tasks if other is not task]

    def train(title: str, keeper: Keeper) -> dict[str, float]:
        encoder, _ = train_jointly(others, settings.hyper, title)
        return {name: train_head(task, encoder, settings.head_hyper, keep=keeper).scores[task.metric]}

    return train
