"""The weights of baselines. They are as large as the encoder, so a search keeps those of the best trials alone."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from training.search.result import Role, Trial

ROLES: tuple[Role, ...] = ("full", "lora")


def drop_worse_weights(folder: Path, trials: Iterable[Trial]) -> None:
    """Removes the weights of all finished trials but the best.

    folder: the search's. trials: those of one baseline and seed.
    """
    finished = [trial for trial in trials if trial.state == "finished"]
    # The first of equals, as SearchResult.best takes it.
    best = max(finished, key=lambda trial: trial.score or 0.0, default=None)
    for trial in finished:
        if trial is not best and trial.checkpoint is not None:
            shutil.rmtree(folder / trial.checkpoint, ignore_errors=True)


def as_kept(folder: Path, trial: Trial) -> Trial:
    """Returns the trial, without its checkpoint if that was dropped for better weights."""
    if trial.role not in ROLES or trial.checkpoint is None or (folder / trial.checkpoint).is_dir():
        return trial
    return trial.model_copy(update={"checkpoint": None})
