"""The verb finetune."""

from typing import Annotated

import typer

from training.cli.one_branch import cache_beside, save_and_tell
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
    hyper_parameters,
    task_name,
)

app = typer.Typer()


@app.command()
def finetune(
    data: Data,
    layers: Annotated[int, typer.Option("--teacher-layers", "-L", help="How many top layers to fine-tune.")],
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
    """Train a teacher: fine-tune the top layers of an encoder on one task."""
    hyper = hyper_parameters(locals())

    from training.encoder_depth import check_teacher_layers

    check_teacher_layers(layers, encoder)  # before torch is imported

    from training.checkpoint import check_new
    from training.data import load_task
    from training.encoder import load_encoder
    from training.trainer import fine_tune

    name = task_name(task, data)
    check_new(output)
    task_data = load_task(data, kind, train_rows, seed)
    cache = cache_beside(output, cache_gb)
    save_and_tell(fine_tune(task_data, name, load_encoder(encoder), layers, hyper, metric, cache), output)
