"""The verbs sample-suite, finetune, distill and evaluate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.options import (
    DEFAULT_CACHE_GB,
    DEFAULTS,
    Accumulation,
    BatchSize,
    CacheGb,
    Data,
    EncoderName,
    Epochs,
    Format,
    KindName,
    LearningRate,
    MaxLength,
    Metric,
    Output,
    Patience,
    Seed,
    TaskName,
    TrainRows,
    Weights,
    task_name,
)
from training.hyper_parameters import HyperParameters

if TYPE_CHECKING:
    from training.checkpoint import Checkpoint
    from training.stored_states import Cache

app = typer.Typer()


@app.command("sample-suite")
def sample_suite(
    directory: Annotated[Path, typer.Argument(help="Where the five task folders go.")],
    seed: Annotated[int, typer.Option(help="Other seeds write other sentences.")] = 0,
) -> None:
    """Write the sample suite: five tasks of an assistant, made by a grammar."""
    from training.sample_suite import write_sample_suite

    for task, folder in write_sample_suite(directory, seed=seed).items():
        typer.echo(f"{task}: {folder}")


@app.command()
def finetune(
    data: Data,
    layers: Annotated[int, typer.Option("--layers", "-L", help="L: how many top layers to fine-tune.")],
    output: Output,
    task: TaskName = None,
    kind: KindName = None,
    metric: Metric = None,
    encoder: EncoderName = "minilm",
    epochs: Epochs = DEFAULTS.epochs,
    patience: Patience = DEFAULTS.patience,
    batch_size: BatchSize = DEFAULTS.batch_size,
    accumulation: Accumulation = DEFAULTS.accumulation,
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    class_weights: Weights = DEFAULTS.class_weights,
    precision: Format = DEFAULTS.precision,
    max_length: MaxLength = DEFAULTS.max_length,
    train_rows: TrainRows = None,
    cache_gb: CacheGb = DEFAULT_CACHE_GB,
    seed: Seed = DEFAULTS.seed,
) -> None:
    """Train a teacher: fine-tune the top L layers of an encoder on one task."""
    from training.checkpoint import check_new
    from training.data import load_task
    from training.encoder import load_encoder
    from training.trainer import fine_tune

    name = task_name(task, data)
    check_new(output)
    task_data = load_task(data, kind, train_rows, seed)
    hyper = HyperParameters(
        learning_rate=learning_rate,
        batch_size=batch_size,
        accumulation=accumulation,
        epochs=epochs,
        patience=patience,
        class_weights=class_weights,
        precision=precision,
        max_length=max_length,
        seed=seed,
    )
    cache = _cache(output, cache_gb)
    _finish(fine_tune(task_data, name, load_encoder(encoder), layers, hyper, metric, cache), output)


@app.command()
def distill(
    teacher: Annotated[Path, typer.Argument(help="The teacher's checkpoint.")],
    data: Data,
    layers: Annotated[int, typer.Option("--layers", "-l", help="l: the student's layers.")],
    output: Output,
    encoder: Annotated[str | None, typer.Option("--encoder", help="The teacher's, if not given.")] = None,
    epochs: Epochs = DEFAULTS.epochs,
    patience: Patience = DEFAULTS.patience,
    batch_size: BatchSize = DEFAULTS.batch_size,
    accumulation: Accumulation = DEFAULTS.accumulation,
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    class_weights: Weights = DEFAULTS.class_weights,
    precision: Format = DEFAULTS.precision,
    train_rows: TrainRows = None,
    cache_gb: CacheGb = DEFAULT_CACHE_GB,
    seed: Seed = DEFAULTS.seed,
) -> None:
    """Distil a teacher into a student branch of l layers."""
    from training.checkpoint import check_new, load_checkpoint
    from training.data import load_task
    from training.encoder import load_encoder
    from training.trainer_distillation import distill as distill_student

    check_new(output)
    checkpoint = load_checkpoint(teacher)
    task_data = load_task(data, checkpoint.record.kind, train_rows, seed)
    hyper = HyperParameters(
        learning_rate=learning_rate,
        batch_size=batch_size,
        accumulation=accumulation,
        epochs=epochs,
        patience=patience,
        class_weights=class_weights,
        precision=precision,
        max_length=checkpoint.record.max_length,
        seed=seed,
    )
    trained_with = load_encoder(encoder or checkpoint.record.encoder.name)
    cache = _cache(output, cache_gb)
    _finish(distill_student(checkpoint, task_data, trained_with, layers, hyper, cache), output)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A task checkpoint.")],
    data: Annotated[Path, typer.Option("--data", help="A JSONL file of labelled rows.")],
    encoder: Annotated[str | None, typer.Option("--encoder", help="The checkpoint's, if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score a checkpoint on a file of labelled rows."""
    from training.checkpoint import load_checkpoint
    from training.data.task import read_examples
    from training.encoder import load_encoder
    from training.evaluator import evaluate as evaluate_branch
    from training.model import Trunk
    from training.trunk_fit import check_trunk

    loaded = load_checkpoint(checkpoint)
    record = loaded.record
    examples = read_examples(data, record.kind, tuple(record.labels))
    trained_with = load_encoder(encoder or record.encoder.name)
    check_trunk(loaded, trained_with)
    scores = evaluate_branch(
        Trunk(trained_with, [record.tap]),
        loaded.branch,
        loaded.tokenizer,
        examples,
        record.kind,
        record.labels,
        record.max_length,
    )
    if as_json:
        typer.echo(json.dumps({"task": record.task, "metric": record.metric, "rows": len(examples), "scores": scores}))
    else:
        typer.echo(_score_line(record.task, record.metric, scores))


def _cache(output: Path, gigabytes: float) -> "Cache":
    """Room for hidden states beside the checkpoint, on the disk that the user chose."""
    from training.stored_states import Cache

    return Cache(output.parent, round(gigabytes * 1e9))


def _finish(checkpoint: "Checkpoint", output: Path) -> None:
    from training.checkpoint import save_checkpoint

    save_checkpoint(output, checkpoint)
    typer.echo(f"{_score_line(checkpoint.record.task, checkpoint.record.metric, checkpoint.record.scores)} -> {output}")


def _score_line(task: str, metric: str, scores: dict[str, float]) -> str:
    others = ", ".join(f"{name} {value:.2f}" for name, value in scores.items() if name != metric)
    return f"{task}: {metric} {scores[metric]:.2f} ({others})"
