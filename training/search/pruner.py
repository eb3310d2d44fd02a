"""Decides which teachers are not worth training to the end."""

import math

import optuna
from optuna.trial import FrozenTrial, TrialState


class BehindByNoise(optuna.pruners.BasePruner):
    """Stops a trial whose best score so far is more than `margin` points below the best that a rival had by then.

    Rivals are the finished trials of at most as many layers. More layers learn faster per epoch: a deep trial that is
    behind a shallow one does not catch up, but a shallow one that is behind a deep one may.

    A score on n dev rows is uncertain by 50 / sqrt(n) points (the standard error of an accuracy of 50 %), and scores of
    small tasks vary much in the first epochs. Optuna's own pruners have no margin, and stopped teachers that would have
    been best (docs/experiments.md).
    """

    def __init__(self, margin: float, first_epoch: int) -> None:
        self.margin, self.first_epoch = margin, first_epoch

    @classmethod
    def for_rows(cls, dev_rows: int, first_epoch: int) -> "BehindByNoise":
        """Returns a pruner with a margin of two standard errors, active from the first epoch that may be kept."""
        return cls(2 * 50 / math.sqrt(dev_rows), first_epoch)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Decides after an epoch whether to stop the trial."""
        epoch = trial.last_step
        if epoch is None or epoch < self.first_epoch:
            return False
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        rivals = [one for one in finished if one.params["layers"] <= trial.params["layers"]]
        return bool(rivals) and _best(trial, epoch) < max(_best(one, epoch) for one in rivals) - self.margin


def _best(trial: FrozenTrial, epoch: int) -> float:
    return max((score for step, score in trial.intermediate_values.items() if step <= epoch), default=-math.inf)
