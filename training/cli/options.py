"""The options that several verbs have."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from training.errors import TrainingError
from training.hyper_parameters import ClassWeights, HyperParameters, TrainingPrecision
from training.kinds import Kind

DEFAULTS = HyperParameters()
DEFAULT_CACHE_GB = 8.0

Data = Annotated[
    str, typer.Argument(help="A folder with train and dev as .jsonl, .csv or .tsv, or hub:NAME[:CONFIGURATION].")
]
Output = Annotated[Path, typer.Option("--output", help="The checkpoint's folder; it must not exist yet.")]
TaskName = Annotated[str | None, typer.Option("--task", help="The task's name; by default the data folder's name.")]
KindName = Annotated[Kind | None, typer.Option("--kind", help="The task's kind; by default inferred from the rows.")]
Metric = Annotated[str | None, typer.Option(help="The dev metric that picks the best epoch; by default the kind's.")]
EncoderName = Annotated[str, typer.Option("--encoder", help="minilm, a local folder, or a hub id: docs/encoders.md.")]
Epochs = Annotated[int, typer.Option(min=1, help="Epochs to train; the best one on dev is kept.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Rows per forward pass.")]
Accumulation = Annotated[int, typer.Option(min=1, help="Batches per optimizer step.")]
LearningRate = Annotated[float, typer.Option(min=0, max=1, help="Peak learning rate.")]
Patience = Annotated[int, typer.Option(min=0, help="Stop after this many epochs without a better score; 0: never.")]
Weights = Annotated[
    ClassWeights, typer.Option("--class-weights", help="balanced: rare classes count as much as frequent ones.")
]
Format = Annotated[TrainingPrecision, typer.Option("--precision", help="auto: bf16 where the hardware has it.")]
MaxLength = Annotated[int, typer.Option(help="Longer inputs are truncated to this many tokens.")]
Seed = Annotated[int, typer.Option(help="Seed of new weights, shuffling and dropout.")]
TrainRows = Annotated[int | None, typer.Option(min=1, help="Train on a random sample of this many rows.")]
DevRows = Annotated[int | None, typer.Option(min=1, help="Score on a random sample of this many dev rows.")]
HalveDev = Annotated[
    int | None,
    typer.Option(metavar="SEED", help="Cut dev in two: one half chooses, the other gives the figures."),
]
CacheGb = Annotated[
    float, typer.Option("--cache-gb", min=0, help="Disk space for the frozen layers' outputs, in GB; 0: none.")
]


def task_name(given: str | None, data: str) -> str:
    """The given name or else the data folder's. Raises TrainingError if it is not a valid task name."""
    from training.branch_record import check_task_name

    try:
        return check_task_name(given if given is not None else Path(data).name)
    except ValueError as error:
        raise TrainingError(f"{error} (--task NAME)") from error


def hyper_parameters(arguments: Mapping[str, Any], **others: Any) -> HyperParameters:
    """The hyper-parameters among a verb's arguments (its `locals()`): those that have the name of a field.

    others: fields that are not options of the verb.
    """
    names = {field.name for field in fields(HyperParameters)}
    return HyperParameters(**{name: value for name, value in arguments.items() if name in names}, **others)
