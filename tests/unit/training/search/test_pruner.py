import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from training.search.pruner import BehindByNoise

Scores = dict[int, float]
FINISHED: list[Scores] = [{1: 50.0, 2: 60.0, 3: 80.0}, {1: 70.0, 2: 62.0, 3: 75.0}]


def of(state: TrialState, scores: Scores, layers: int) -> FrozenTrial:
    return create_trial(
        state=state,
        value=80.0 if state is TrialState.COMPLETE else None,
        params={"layers": layers},
        distributions={"layers": IntDistribution(1, 1000)},
        intermediate_values=scores,
    )


@pytest.fixture
def study() -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for scores in FINISHED:
        study.add_trial(of(TrialState.COMPLETE, scores, layers=4))
    return study


def pruned(study: optuna.Study, scores: Scores, first_epoch: int = 1, layers: int = 4) -> bool:
    return BehindByNoise(5.0, first_epoch).prune(study, of(TrialState.RUNNING, scores, layers))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({1: 64.9}, True),  # the best after one epoch was 70
        ({1: 65.0}, False),  # just within the margin
        ({1: 20.0, 2: 64.0}, True),  # the best by then is still 70
        ({1: 66.0, 2: 10.0}, False),  # its own best counts, too
        ({1: 66.0, 2: 66.0, 3: 74.0}, True),  # by the third epoch the best is 80
    ],
)
def test_trial_is_ended_only_if_its_best_is_behind_the_best_by_more_than_the_margin(
    study: optuna.Study, scores: Scores, expected: bool
) -> None:
    assert pruned(study, scores) is expected


def test_no_trial_is_ended_before_the_first_epoch_that_counts(study: optuna.Study) -> None:
    assert not pruned(study, {1: 0.0, 2: 0.0}, first_epoch=3)
    assert pruned(study, {1: 0.0, 2: 0.0, 3: 0.0}, first_epoch=3)


def test_first_trial_and_one_without_a_score_are_not_ended(study: optuna.Study) -> None:
    assert not pruned(optuna.create_study(direction="maximize"), {1: 0.0})
    assert not pruned(study, {})


def test_trials_that_were_themselves_ended_are_no_measure() -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trial(of(TrialState.PRUNED, {1: 90.0}, layers=4))
    assert not pruned(study, {1: 0.0})


def test_a_shallow_trial_is_not_ended_because_a_deeper_one_learns_faster(study: optuna.Study) -> None:
    assert not pruned(study, {1: 20.0}, layers=3)
    assert pruned(study, {1: 20.0}, layers=5)


def test_margin_is_two_standard_errors_of_an_accuracy() -> None:
    assert BehindByNoise.for_rows(2500, 3).margin == pytest.approx(2.0)
    assert BehindByNoise.for_rows(100, 3).margin == pytest.approx(10.0)
