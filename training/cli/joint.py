"""The verb joint."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import (
    DEFAULTS,
    BatchSize,
    DevRows,
    EncoderName,
    Format,
    LearningRate,
    MaxLength,
    Seed,
    TrainRows,
)
from training.errors import TrainingError
from training.search.layer_range import parse_range

app = typer.Typer()


@app.command()
def joint(
    tasks: Annotated[
        list[Path],
        typer.Argument(metavar="TASK_DIR", help="Two or more data folders; each task has its folder's name."),
    ],
    output: Annotated[Path, typer.Option(help="Where joint.json goes: the folder that holds the tasks' searches.")],
    encoder: EncoderName = "minilm",
    epochs: Annotated[str, typer.Option(help="The epochs of which the best mean metric is kept.")] = "3-5",
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    head_learning_rate: Annotated[
        float, typer.Option(min=0, max=1, help="For the head of a task that was left out.")
    ] = 1e-3,
    batch_size: BatchSize = DEFAULTS.batch_size,
    max_length: MaxLength = DEFAULTS.max_length,
    precision: Format = DEFAULTS.precision,
    train_rows: TrainRows = None,
    dev_rows: DevRows = None,
    seed: Seed = DEFAULTS.seed,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="TASK", help="May be given several times; every task if not given.")
    ] = None,
    no_leave_one_out: Annotated[
        bool, typer.Option("--no-leave-one-out", help="Train only the model of all tasks.")
    ] = False,
) -> None:
    """Train the baseline MT-DNN: one encoder for all tasks, then each task's head on the model of the others.

    Ended at any moment, the same command goes on where it stopped. The rows sampled are those that search samples.
    """
    folders = _by_name(tasks)
    left_out = _left_out(leave_out, no_leave_one_out, list(folders))

    from training.baselines.joint import train_joint_baseline
    from training.baselines.joint_settings import JointSettings, TaskSettings
    from training.data import load_task
    from training.encoder import load_encoder
    from training.fingerprint import trunk_fingerprints
    from training.prepared_task import PreparedTask

    epoch_range = parse_range(epochs)
    data = {name: load_task(str(folder), None, train_rows, dev_rows=dev_rows) for name, folder in folders.items()}
    pretrained = load_encoder(encoder)
    prepared = [PreparedTask(one, name, pretrained, max_length) for name, one in data.items()]
    settings = JointSettings(
        tasks={task.name: TaskSettings.of(task) for task in prepared},
        encoder=encoder,
        encoder_fingerprint=trunk_fingerprints(pretrained, pretrained.layers)[-1],
        max_length=max_length,
        batch_size=batch_size,
        first_epoch=epoch_range[0],
        epochs=epoch_range[-1],
        learning_rate=learning_rate,
        head_learning_rate=head_learning_rate,
        precision=precision,
        seed=seed,
    )
    result = train_joint_baseline(output, prepared, settings, left_out, report=typer.echo)
    for task in prepared:
        left = result.leave_one_out.get(task.name)
        ending = "" if left is None else f", left out {left:.2f}"
        typer.echo(f"{task.name}: {task.metric} {result.full[task.name]:.2f}{ending}")
    typer.echo(f"-> {output}; `espalier report {output}` compares it with the searched tasks' branches.")


def _by_name(folders: list[Path]) -> dict[str, Path]:
    """The folders under their tasks' names, in the names' order, so that the order given changes no score.

    Raises TrainingError for a name that cannot be a task's, two folders of one name, or fewer than two.
    """
    from training.checkpoint import check_task_name

    found: dict[str, Path] = {}
    for folder in folders:
        try:
            name = check_task_name(folder.name)
        except ValueError as error:
            raise TrainingError(f"{folder}: {error} (tasks are named as their folders)") from error
        if name in found:
            raise TrainingError(f"{found[name]} and {folder} are both of task {name}: rename one folder.")
        found[name] = folder
    if len(found) < 2:
        raise TrainingError("joint training needs at least two tasks: name more folders.")
    return dict(sorted(found.items()))


def _left_out(asked: list[str] | None, none: bool, tasks: list[str]) -> list[str]:
    """The tasks to leave out in turn. Raises TrainingError for one that is no task, and for asking both ways."""
    if none:
        if asked:
            raise TrainingError("--leave-out and --no-leave-one-out contradict each other: give one of them.")
        return []
    for name in asked or []:
        if name not in tasks:
            raise TrainingError(f"--leave-out {name}: this is none of the tasks {', '.join(tasks)}.")
    return asked or tasks
