"""The options that several verbs have."""

from pathlib import Path
from typing import Annotated

import typer

from training.errors import TrainingError
from training.hyper_parameters import ClassWeights, HyperParameters, Precision
from training.kinds import Kind

DEFAULTS = HyperParameters()
DEFAULT_CACHE_GB = 8.0

Data = Annotated[
    str, typer.Argument(help="A folder with train and dev as .jsonl, .csv or .tsv, or hub:NAME[:CONFIGURATION].")
]
Output = Annotated[Path, typer.Option("--output", help="The checkpoint's folder; must not exist yet.")]
TaskName = Annotated[str | None, typer.Option("--task", help="The task's name; the data folder's name if not given.")]
KindName = Annotated[Kind | None, typer.Option("--kind", help="The task's kind; told from the rows if not given.")]
Metric = Annotated[str | None, typer.Option(help="The dev metric that picks the best epoch.")]
EncoderName = Annotated[str, typer.Option("--encoder", help="minilm, a local folder, or a hub id of a BERT.")]
Epochs = Annotated[int, typer.Option(min=1)]
BatchSize = Annotated[int, typer.Option(min=1)]
Accumulation = Annotated[int, typer.Option(min=1, help="Batches per step of the optimizer.")]
LearningRate = Annotated[float, typer.Option(min=0, max=1)]
Patience = Annotated[int, typer.Option(min=0, help="Stop after so many epochs without a better score; 0: never.")]
Weights = Annotated[ClassWeights, typer.Option("--class-weights", help="balanced: rare classes count as much.")]
Format = Annotated[Precision, typer.Option("--precision", help="auto: bf16 where the machine has it.")]
MaxLength = Annotated[int, typer.Option(help="Longer inputs are cut to so many tokens.")]
Seed = Annotated[int, typer.Option(help="Fixes new weights, shuffling and dropout.")]
TrainRows = Annotated[int | None, typer.Option(min=1, help="Train on a random sample of that many rows.")]
DevRows = Annotated[int | None, typer.Option(min=1, help="Score on a random sample of that many dev rows.")]
CacheGb = Annotated[float, typer.Option("--cache-gb", min=0, help="Disk for the frozen layers' outputs; 0: none.")]


def task_name(given: str | None, data: str) -> str:
    """The task's name: the one given, or the data folder's. Raises TrainingError if it cannot be one."""
    from training.checkpoint import check_task_name

    try:
        return check_task_name(given if given is not None else Path(data).name)
    except ValueError as error:
        raise TrainingError(f"{error} (--task NAME)") from error
