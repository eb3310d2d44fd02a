"""The cost of a search, added up from its trials."""

import statistics
from collections.abc import Callable, Sequence

from training.search.result import Cost, CostParts, Trial


def cost_of(trials: Sequence[Trial], stored: Callable[[str], float]) -> Cost:
    """Returns the cost in wall seconds and, if all trials have them, in processor seconds.

    stored: the seconds of what belongs to no trial, by name.
    """
    wall = _parts(trials, lambda trial: trial.seconds, stored)
    processor = None
    if all(trial.processor_seconds is not None for trial in trials):
        processor = _parts(
            trials, lambda trial: trial.processor_seconds or 0.0, lambda name: stored(f"{name}_processor")
        )
    return Cost(**wall.model_dump(), processor=processor)


def _parts(trials: Sequence[Trial], seconds: Callable[[Trial], float], stored: Callable[[str], float]) -> CostParts:
    def total(role: str) -> float:
        return sum(
            seconds(trial)
            for trial in trials
            if trial.role == role and trial.total_epochs is None and trial.tap is None
        )

    full = [trial for trial in trials if trial.role == "full" and trial.state == "finished"]
    best = max(full, key=lambda trial: trial.score or 0.0, default=None)
    like_best = [seconds(trial) for trial in full if best is not None and trial.total_epochs == best.total_epochs]
    searched = [trial for trial in trials if trial.role in ("teacher", "student")]
    return CostParts(
        hidden_states=stored("hidden_states"),
        teachers=total("teacher"),
        teacher_logits=stored("teacher_logits"),
        students=total("student"),
        other_taps=sum(seconds(trial) for trial in searched if trial.tap is not None and trial.total_epochs is None),
        longer_runs=sum(seconds(trial) for trial in searched if trial.total_epochs is not None),
        full_fine_tuning=statistics.mean(like_best) if like_best else None,
    )
