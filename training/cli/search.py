"""The verb search."""

from pathlib import Path
from shlex import quote
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
    HalveDev,
    KindName,
    MaxLength,
    Metric,
    Patience,
    TaskName,
    TrainRows,
    Weights,
    task_name,
)
from training.search.layer_range import check_range, check_taps, default_range, parse_layers, parse_range
from training.search.settings import Baseline, Grid, Settings

app = typer.Typer()

RATES, SEEDS = [DEFAULTS.learning_rate], [DEFAULTS.seed]


@app.command()
def search(
    data: Data,
    output: Annotated[Path | None, typer.Option(help="The search's folder; by default results/TASK.")] = None,
    task: TaskName = None,
    kind: KindName = None,
    metric: Metric = None,
    encoder: EncoderName = "minilm",
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", help="All branches learn from this fine-tuned classifier: a folder or hub id."),
    ] = None,
    teacher_layers: Annotated[
        str | None,
        typer.Option("--teacher-layers", "-L", help="Layers of the teachers, as 4-10 or 4,5,7,10; else N/3 to 10N/12."),
    ] = None,
    student_layers: Annotated[
        str, typer.Option("--student-layers", "-l", help="Layers of the students, as 1-3.")
    ] = "1-3",
    student_taps: Annotated[
        str | None, typer.Option(help="Also train students at these taps, as 4-8; by default only at the teacher's.")
    ] = None,
    epochs: Annotated[str, typer.Option(help="3-5: train 5 epochs, keep the best of 3, 4 and 5.")] = "3-5",
    learning_rate: Annotated[list[float], typer.Option(min=0, max=1, help="Peak learning rate; repeatable.")] = RATES,
    full_learning_rate: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="Peak learning rate of `--baseline full`; repeatable."),
    ] = None,
    lora_learning_rate: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="Peak learning rate of `--baseline lora`; repeatable.")
    ] = None,
    rate_first: Annotated[
        bool,
        typer.Option("--rate-first", help="Choose the learning rate with one number of layers for all."),
    ] = False,
    seed: Annotated[list[int], typer.Option(min=0, help="Seed of weights, shuffling and dropout; repeatable.")] = SEEDS,
    patience: Patience = DEFAULTS.patience,
    batch_size: BatchSize = DEFAULTS.batch_size,
    accumulation: Accumulation = DEFAULTS.accumulation,
    class_weights: Weights = DEFAULTS.class_weights,
    precision: Format = DEFAULTS.precision,
    max_length: MaxLength = DEFAULTS.max_length,
    train_rows: TrainRows = None,
    dev_rows: DevRows = None,
    halve_dev: HalveDev = None,
    double_until: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="Train the best again with twice the epochs until it gains less."),
    ] = None,
    most_epochs: Annotated[
        int, typer.Option(min=1, help="Most epochs of a run of --double-until; of a student together with its teacher.")
    ] = 100,
    baseline: Annotated[
        list[Baseline] | None,
        typer.Option(help="Also train `full` (all layers), `vanilla` (students of the encoder) or `lora` (adapters)."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Teachers this many points below the best count as equal; fewest layers win.")
    ] = 0.0,
    prune: Annotated[bool, typer.Option(help="Stop teachers that fall behind by more than noise.")] = True,
    cache_gb: CacheGb = DEFAULT_CACHE_GB,
    storage: Annotated[
        str | None,
        typer.Option(
            envvar="ESPALIER_STORAGE", help="Optuna storage URL, for several machines; by default a SQLite file."
        ),
    ] = None,
) -> None:
    """Search for the layers of one task's teacher and student: train teachers, then students of the best one.

    Safe to kill: run it again to resume. Several processes may work on one search.
    """
    from training.encoder_depth import check_teacher_layers

    for layers in parse_layers(teacher_layers)[-1:] if teacher_layers else []:
        check_teacher_layers(layers, encoder)  # before torch is imported

    from training.adoption.adopt import adopt
    from training.adoption.original import load_original
    from training.adoption.summary import original_line
    from training.data import load_task
    from training.encoder import load_encoder
    from training.fingerprint import trunk_fingerprints
    from training.prepared_task import PreparedTask
    from training.search.search import Search
    from training.search.summary import summary

    name = task_name(task, data)
    folder = output or Path("results") / name
    epoch_range, student_range = parse_range(epochs), parse_layers(student_layers)
    taps = parse_layers(student_taps) if student_taps else []
    trained_on = load_encoder(encoder)
    teacher_range = parse_layers(teacher_layers) if teacher_layers else list(default_range(trained_on.layers))
    check_range(teacher_range, trained_on.layers)
    check_taps(taps, trained_on.layers)
    if teacher:
        adopted = adopt(load_original(teacher), data, kind, train_rows, dev_rows=dev_rows, halve_dev=halve_dev)
        task_data = adopted.data
    else:
        adopted = None
        task_data = load_task(data, kind, train_rows, dev_rows=dev_rows, halve_dev=halve_dev)
    prepared = PreparedTask(task_data, name, trained_on, max_length, metric)
    settings = Settings(
        task=name,
        kind=task_data.kind,
        metric=prepared.metric,
        data=task_data.source,
        data_sha256=task_data.sha256,
        train_rows=len(task_data.train),
        dev_rows=len(task_data.dev),
        encoder=trained_on.name,
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
        halve_dev=halve_dev,
        original=adopted.original["sha256"] if adopted else None,
    )
    grid = Grid(
        teacher_layers=teacher_range,
        student_layers=student_range,
        student_taps=taps,
        learning_rates=learning_rate,
        full_learning_rates=full_learning_rate or [],
        lora_learning_rates=lora_learning_rate or [],
        rate_first=rate_first,
        double_until=double_until,
        most_epochs=most_epochs,
        seeds=seed,
        baselines=baseline or [],
        tolerance=tolerance,
    )
    result = Search(folder, prepared, settings, grid, storage, typer.echo, adopted).run(round(cache_gb * 1e9))
    typer.echo(summary(result))
    if adopted:
        typer.echo(f"  {original_line(adopted, result.metric)}")
    typer.echo(
        f"-> {folder}; `espalier select {quote(str(folder.parent))}` chooses among the searched tasks' branches."
    )
