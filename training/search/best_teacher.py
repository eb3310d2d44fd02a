"""The choice of the teacher that the students learn from (paper, section 3.1)."""

from collections.abc import Mapping

from training.errors import TrainingError
from training.search.result import Trial
from training.search.spec import Spec


def best_teacher(task: str, trials: Mapping[Spec, Trial], tolerance: float) -> Spec:
    """Returns the teacher with the best score on dev, of equals the one with the fewest layers.

    trials: all teachers that have ended. tolerance: points below the best score that still count as equal. Scores are
    compared to nine decimals: 71.9 - 0.3 is a little more than 71.6 in floating point.
    Raises TrainingError, with the last reason, if none has finished.
    """
    scores = {spec: round(trial.score or 0.0, 9) for spec, trial in trials.items() if trial.state == "finished"}
    if not scores:
        reasons = [trial.message for trial in trials.values() if trial.message]
        raise TrainingError(f"all teachers of {task} failed; the last one: {reasons[-1]}")
    least = round(max(scores.values()) - tolerance, 9)
    equals = [spec for spec, score in scores.items() if score >= least]
    return min(
        equals, key=lambda spec: (spec.layers, -scores[spec], spec.total_epochs or 0, spec.learning_rate, spec.seed)
    )
