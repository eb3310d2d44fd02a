"""The verb evaluate."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from training.cli.one_branch import score_line
from training.errors import TrainingError

app = typer.Typer()


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option("--data", help="A .jsonl, .csv or .tsv file of labelled rows.")],
    checkpoints: Annotated[
        list[Path] | None, typer.Argument(metavar="CHECKPOINT...", help="Task checkpoints, also those of baselines.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Score this fine-tuned classifier of transformers too: a folder or hub id."),
    ] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="Another name or folder of its encoder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per checkpoint.")] = False,
) -> None:
    """Score checkpoints, a model of transformers, or both, on a file of labelled rows, each with its standard error."""
    if not checkpoints and model is None:
        raise TrainingError("there is nothing to score: give a checkpoint, --model MODEL, or both.")
    if checkpoints:
        _evaluate_checkpoints(checkpoints, data, encoder, as_json)
    if model is not None:
        _evaluate_model(model, data, as_json)


def _evaluate_checkpoints(checkpoints: Sequence[Path], data: Path, encoder: str | None, as_json: bool) -> None:
    from training.checkpoint_scores import CheckpointScorer

    scorer = CheckpointScorer(encoder)
    for folder in checkpoints:
        found = scorer.score(folder, data)
        if as_json:
            typer.echo(json.dumps(found.as_json()))
        else:
            name = f"{folder}: " if len(checkpoints) > 1 else ""
            line = score_line(found.task, found.metric, found.scores)
            typer.echo(f"{name}{line}, standard error {found.error:.2f} on {found.rows} rows")


def _evaluate_model(model: str, data: Path, as_json: bool) -> None:
    from training.adoption.original import load_original
    from training.adoption.score import score_original

    found = score_original(load_original(model), data)
    if as_json:
        scores = {"rows": found.rows, "scores": found.scores, "standard_error": round(found.error, 2)}
        typer.echo(json.dumps({"model": model, "metric": found.metric, **scores}))
    else:
        line = score_line(model, found.metric, found.scores)
        typer.echo(f"{line}, standard error {found.error:.2f} on {found.rows} rows")
