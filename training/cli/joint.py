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
    HalveDev,
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
        typer.Argument(metavar="TASK_DIR", help="Two or more data folders; each task is named after its folder."),
    ],
    output: Annotated[Path, typer.Option(help="The folder of the tasks' searches; joint.json is written to it.")],
    encoder: EncoderName = "minilm",
    epochs: Annotated[str, typer.Option(help="3-5: train 5 epochs, keep the best of 3, 4 and 5.")] = "3-5",
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    head_learning_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Peak learning rate of the head of a left-out task.")
    ] = 1e-3,
    batch_size: BatchSize = DEFAULTS.batch_size,
    max_length: MaxLength = DEFAULTS.max_length,
    precision: Format = DEFAULTS.precision,
    train_rows: TrainRows = None,
    dev_rows: DevRows = None,
    halve_dev: HalveDev = None,
    seed: Seed = DEFAULTS.seed,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="TASK", help="A task to leave out; repeatable; by default each in turn.")
    ] = None,
    no_leave_one_out: Annotated[
        bool, typer.Option("--no-leave-one-out", help="Train only the model of all tasks.")
    ] = False,
) -> None:
    """Train the baseline MT-DNN: one encoder for all tasks, then each task's head on the model of the others.

    Safe to kill: run it again to resume. It samples the same rows as search.
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
    data = {
        name: load_task(str(folder), None, train_rows, dev_rows=dev_rows, halve_dev=halve_dev)
        for name, folder in folders.items()
    }
    pretrained = load_encoder(encoder)
    prepared = [PreparedTask(one, name, pretrained, max_length) for name, one in data.items()]
    settings = JointSettings(
        tasks={task.name: TaskSettings.of(task) for task in prepared},
        encoder=pretrained.name,
        encoder_fingerprint=trunk_fingerprints(pretrained, pretrained.layers)[-1],
        max_length=max_length,
        batch_size=batch_size,
        first_epoch=epoch_range[0],
        epochs=epoch_range[-1],
        learning_rate=learning_rate,
        head_learning_rate=head_learning_rate,
        precision=precision,
        seed=seed,
        halve_dev=halve_dev,
    )
    result = train_joint_baseline(output, prepared, settings, left_out, report=typer.echo)
    for task in prepared:
        left = result.leave_one_out.get(task.name)
        ending = "" if left is None else f", left out {left:.2f}"
        typer.echo(f"{task.name}: {task.metric} {result.full[task.name]:.2f}{ending}")
    typer.echo(f"-> {output}; `espalier report {output}` compares it with the searched tasks' branches.")


def _by_name(folders: list[Path]) -> dict[str, Path]:
    """The folders by task name, sorted, so that the order on the command line changes no score.

    Raises TrainingError for an invalid task name, for two folders with the same name, or for fewer than two folders.
    """
    from training.branch_record import check_task_name

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
    """The tasks to leave out in turn. Raises TrainingError for an unknown task and for contradicting options."""
    if none:
        if asked:
            raise TrainingError("--leave-out and --no-leave-one-out contradict each other: give one of them.")
        return []
    for name in asked or []:
        if name not in tasks:
            raise TrainingError(f"--leave-out {name}: this is not one of the tasks {', '.join(tasks)}.")
    return asked or tasks
