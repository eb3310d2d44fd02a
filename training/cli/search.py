"""The verb search."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import (
    DEFAULT_CACHE_GB,
    DEFAULTS,
    Accumulation,
    BatchSize,
    CacheGb,
    Data,
    DevRows,
    EncoderName,
    Format,
    KindName,
    MaxLength,
    Metric,
    Patience,
    TaskName,
    TrainRows,
    Weights,
    task_name,
)
from training.search.layer_range import check_range, default_range, parse_range
from training.search.settings import Baseline, Grid, Settings

app = typer.Typer()

RATES, SEEDS = [DEFAULTS.learning_rate], [DEFAULTS.seed]


@app.command()
def search(
    data: Data,
    output: Annotated[Path | None, typer.Option(help="The search's folder; results/TASK if not given.")] = None,
    task: TaskName = None,
    kind: KindName = None,
    metric: Metric = None,
    encoder: EncoderName = "minilm",
    layers: Annotated[
        str | None, typer.Option("--layers", "-L", help="Teachers' L, as 4-10; for N layers N/3 to 10N/12.")
    ] = None,
    student_layers: Annotated[str, typer.Option("--student-layers", "-l", help="Students' l.")] = "1-3",
    epochs: Annotated[str, typer.Option(help="The epochs of which the best is kept, read off one run.")] = "3-5",
    learning_rate: Annotated[list[float], typer.Option(min=0, max=1, help="May be given several times.")] = RATES,
    full_learning_rate: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="Those of `--baseline full`, which wants lower ones.")
    ] = None,
    seed: Annotated[list[int], typer.Option(min=0, help="May be given several times.")] = SEEDS,
    patience: Patience = DEFAULTS.patience,
    batch_size: BatchSize = DEFAULTS.batch_size,
    accumulation: Accumulation = DEFAULTS.accumulation,
    class_weights: Weights = DEFAULTS.class_weights,
    precision: Format = DEFAULTS.precision,
    max_length: MaxLength = DEFAULTS.max_length,
    train_rows: TrainRows = None,
    dev_rows: DevRows = None,
    baseline: Annotated[
        list[Baseline] | None,
        typer.Option(help="Also train `full` (fine-tuning of all layers) or `vanilla` (students from the encoder)."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Points below the best teacher that count as equal to it: fewest layers win.")
    ] = 0.0,
    prune: Annotated[bool, typer.Option(help="End teachers that fall behind by more than noise.")] = True,
    cache_gb: CacheGb = DEFAULT_CACHE_GB,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage URL for several machines; a SQLite file if not given.")
    ] = None,
) -> None:
    """Search for one task's L and l: teachers for each L, then students of the best.

    Ended at any moment, the same command goes on where it stopped. Several processes may work on one search.
    """
    from training.data import load_task
    from training.encoder import load_encoder
    from training.fingerprint import trunk_fingerprints
    from training.prepared_task import PreparedTask
    from training.search.search import Search
    from training.search.summary import summary

    name = task_name(task, data)
    folder = output or Path("results") / name
    epoch_range, student_range = parse_range(epochs), parse_range(student_layers)
    task_data = load_task(data, kind, train_rows, dev_rows=dev_rows)
    trained_on = load_encoder(encoder)
    teacher_range = parse_range(layers) if layers else default_range(trained_on.layers)
    check_range(teacher_range, trained_on.layers)
    prepared = PreparedTask(task_data, name, trained_on, max_length, metric)
    settings = Settings(
        task=name,
        kind=task_data.kind,
        metric=prepared.metric,
        data=data,
        data_sha256=task_data.sha256,
        train_rows=len(task_data.train),
        dev_rows=len(task_data.dev),
        encoder=encoder,
        encoder_fingerprint=trunk_fingerprints(trained_on, trained_on.layers)[-1],
        max_length=max_length,
        batch_size=batch_size,
        accumulation=accumulation,
        first_epoch=epoch_range[0],
        epochs=epoch_range[-1],
        patience=patience,
        class_weights=class_weights,
        precision=precision,
        prune=prune,
    )
    grid = Grid(
        teacher_layers=list(teacher_range),
        student_layers=list(student_range),
        learning_rates=learning_rate,
        full_learning_rates=full_learning_rate or [],
        seeds=seed,
        baselines=baseline or [],
        tolerance=tolerance,
    )
    result = Search(folder, prepared, settings, grid, storage, report=typer.echo).run(round(cache_gb * 1e9))
    typer.echo(summary(result))
    typer.echo(f"-> {folder}; `espalier select {folder.parent}` chooses among the searched tasks' branches.")
