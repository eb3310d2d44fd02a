"""Which teachers are not worth training to the end."""

import math

import optuna
from optuna.trial import FrozenTrial, TrialState


class BehindByNoise(optuna.pruners.BasePruner):
    """Ends a trial whose best score so far is clearly below what the best finished one had by the same epoch.

    Clearly is by more than `margin` points. A score on n dev rows is uncertain by 50 / sqrt(n) points (the standard
    error of an accuracy of 50 %), and small tasks jump about in the first epochs: Optuna's own pruners, which know no
    margin, ended the teachers that would have been best (docs/results.md).
    """

    def __init__(self, margin: float, first_epoch: int) -> None:
        self.margin, self.first_epoch = margin, first_epoch

    @classmethod
    def for_rows(cls, dev_rows: int, first_epoch: int) -> "BehindByNoise":
        """Two standard errors, from the first epoch on that may be kept."""
        return cls(2 * 50 / math.sqrt(dev_rows), first_epoch)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Called after each epoch."""
        epoch = trial.last_step
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if epoch is None or epoch < self.first_epoch or not finished:
            return False
        return _best(trial, epoch) < max(_best(one, epoch) for one in finished) - self.margin


def _best(trial: FrozenTrial, epoch: int) -> float:
    return max((score for step, score in trial.intermediate_values.items() if step <= epoch), default=-math.inf)
