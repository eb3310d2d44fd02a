"""What the verbs that train one branch have in common: where its hidden states are kept, and what is told of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from training.checkpoint import Checkpoint
    from training.stored_states import Cache


def cache_beside(output: Path, gigabytes: float) -> "Cache":
    """Room for hidden states beside the checkpoint, on the disk that the user chose."""
    from training.stored_states import Cache

    return Cache(output.parent, round(gigabytes * 1e9))


def save_and_tell(checkpoint: "Checkpoint", output: Path) -> None:
    """Writes the checkpoint and prints its scores. Raises TrainingError if the folder exists."""
    from training.checkpoint import save_checkpoint

    save_checkpoint(output, checkpoint)
    record = checkpoint.record
    typer.echo(f"{score_line(record.task, record.metric, record.scores)} -> {output}")


def score_line(name: str, metric: str, scores: dict[str, float]) -> str:
    """Returns 'rte: accuracy 70.10 (f1_macro 69.50, matthews 41.20)', the metric that counts first."""
    others = ", ".join(f"{other} {value:.2f}" for other, value in scores.items() if other != metric)
    return f"{name}: {metric} {scores[metric]:.2f} ({others})"
