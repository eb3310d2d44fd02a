import pytest
from finished_search import trial

from training.errors import TrainingError
from training.search.best_teacher import best_teacher
from training.search.result import Trial
from training.search.spec import Spec


def teachers(scores: dict[int, float | None]) -> dict[Spec, Trial]:
    """By L; without a score it was pruned."""
    return {
        Spec("teacher", layers, 2e-5, 0): trial("teacher", layers, score, "pruned" if score is None else "finished")
        for layers, score in scores.items()
    }


def chosen(scores: dict[int, float | None], tolerance: float = 0.0) -> int:
    return best_teacher("rte", teachers(scores), tolerance).layers


def test_the_best_is_taken_and_of_equals_the_one_with_the_fewest_layers() -> None:
    assert chosen({6: 71.9, 4: 70.0, 5: 71.9, 3: None}) == 5


@pytest.mark.parametrize(("score", "best", "tolerance"), [(71.6, 71.9, 0.3), (63.9, 64.4, 0.5), (70.0, 71.0, 1.0)])
def test_a_score_at_the_tolerance_counts_as_equal(score: float, best: float, tolerance: float) -> None:
    assert chosen({4: score, 5: best}, tolerance) == 4
    assert chosen({4: score - 0.01, 5: best}, tolerance) == 5


def test_of_one_teacher_trained_twice_the_longer_run_counts_only_if_it_is_better() -> None:
    (spec,) = teachers({4: 70.0})
    longer = Spec("teacher", 4, 2e-5, 0, total_epochs=12)
    for score, expected in ((70.0, None), (70.1, 12)):
        trials = {longer: trial("teacher", 4, score), spec: trial("teacher", 4, 70.0)}
        assert best_teacher("rte", trials, 0.0).total_epochs == expected


def test_if_all_failed_the_last_reason_is_told() -> None:
    failed = {
        Spec("teacher", layers, 2e-5, 0): trial("teacher", layers, None, "failed").model_copy(update={"message": why})
        for layers, why in ((4, "one"), (5, "the loss is nan"))
    }
    with pytest.raises(TrainingError, match="all teachers of rte failed; the last one: the loss is nan"):
        best_teacher("rte", failed, 0.0)
