"""The verb distill: a checkpoint of ours, or a fine-tuned model of transformers, into a student."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from training.cli.one_branch import cache_beside, save_and_tell
from training.cli.options import (
    DEFAULT_CACHE_GB,
    DEFAULTS,
    Accumulation,
    BatchSize,
    CacheGb,
    Epochs,
    Format,
    KindName,
    LearningRate,
    Metric,
    Output,
    Patience,
    Seed,
    TaskName,
    TrainRows,
    Weights,
    hyper_parameters,
    task_name,
)
from training.errors import TrainingError

app = typer.Typer()

Options = Mapping[str, Any]  # all of the verb's arguments, by name


@app.command()
def distill(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="[CHECKPOINT] TASK_DIR",
            help="The teacher's checkpoint, unless --teacher names a model; then the data, as for finetune.",
        ),
    ],
    layers: Annotated[int, typer.Option("--student-layers", "-l", help="How many layers the student gets.")],
    output: Output,
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", help="A fine-tuned classifier of transformers as the teacher: a folder or hub id."),
    ] = None,
    tap: Annotated[
        int | None, typer.Option("--tap", min=1, help="With --teacher: the trunk layers below the student.")
    ] = None,
    task: TaskName = None,
    kind: KindName = None,
    metric: Metric = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="Another name or folder of the teacher's encoder; with --teacher, the trunk's."),
    ] = None,
    epochs: Epochs = DEFAULTS.epochs,
    patience: Patience = DEFAULTS.patience,
    batch_size: BatchSize = DEFAULTS.batch_size,
    accumulation: Accumulation = DEFAULTS.accumulation,
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    class_weights: Weights = DEFAULTS.class_weights,
    precision: Format = DEFAULTS.precision,
    max_length: Annotated[
        int | None, typer.Option("--max-length", help="With --teacher: longer inputs are truncated; by default 128.")
    ] = None,
    train_rows: TrainRows = None,
    cache_gb: CacheGb = DEFAULT_CACHE_GB,
    seed: Seed = DEFAULTS.seed,
) -> None:
    """Distil a teacher into a student, a branch of fewer layers."""
    options = locals()
    data = _data_of(inputs, options)
    if teacher is None:
        _distill_checkpoint(Path(inputs[0]), data, options)
    else:
        _distill_model(teacher, data, options)


def _data_of(inputs: Sequence[str], options: Options) -> str:
    """The data among the arguments.

    Raises TrainingError if the arguments are too many or too few, or if an option is for --teacher only.
    """
    is_model = options["teacher"] is not None
    if len(inputs) != (1 if is_model else 2):
        expected = (
            "the data alone, as --teacher names the teacher" if is_model else "the teacher's checkpoint and the data"
        )
        raise TrainingError(f"distill takes {expected}; it got {' '.join(inputs)}.")
    for name in ("tap", "task", "kind", "metric", "max_length"):
        if not is_model and options[name] is not None:
            raise TrainingError(f"--{name.replace('_', '-')} goes with --teacher MODEL: a checkpoint says it already.")
    return inputs[-1]


def _distill_checkpoint(teacher: Path, data: str, options: Options) -> None:
    from training.branch_record import RECORD
    from training.checkpoint import check_new, load_checkpoint
    from training.data import load_task
    from training.encoder import load_encoder
    from training.trainer_distillation import distill as distill_teacher

    output: Path = options["output"]
    check_new(output)
    if (teacher / "config.json").is_file() and not (teacher / RECORD).is_file():
        raise TrainingError(
            f"{teacher} is not a task checkpoint: a model of transformers is given as --teacher {quote(str(teacher))}."
        )
    checkpoint = load_checkpoint(teacher)
    record = checkpoint.record
    task_data = load_task(data, record.kind, options["train_rows"], options["seed"])
    hyper = hyper_parameters({**options, "max_length": record.max_length})
    encoder = load_encoder(options["encoder"] or record.encoder.name)
    cache = cache_beside(output, options["cache_gb"])
    save_and_tell(distill_teacher(checkpoint, task_data, encoder, options["layers"], hyper, cache), output)


def _distill_model(teacher: str, data: str, options: Options) -> None:
    from training.adoption.adopt import adopt
    from training.adoption.distill import check_place, default_tap, distill_original
    from training.adoption.original import load_original
    from training.adoption.summary import move_line
    from training.checkpoint import check_new
    from training.encoder import DEFAULT_ENCODER, load_encoder

    output, layers = options["output"], options["layers"]
    name = task_name(options["task"], data)
    check_new(output)
    hyper = hyper_parameters({**options, "max_length": options["max_length"] or DEFAULTS.max_length})
    encoder = load_encoder(options["encoder"] or DEFAULT_ENCODER)
    tap = options["tap"] or default_tap(encoder, layers)
    check_place(encoder, tap, layers)
    adopted = adopt(load_original(teacher), data, options["kind"], options["train_rows"], options["seed"])
    cache = cache_beside(output, options["cache_gb"])
    student = distill_original(adopted, name, encoder, tap, layers, hyper, options["metric"], cache)
    save_and_tell(student, output)
    typer.echo(move_line(adopted, student.record))
