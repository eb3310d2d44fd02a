import pytest
from finished_search import trial

from training.kinds import Kind
from training.search.convergence import convergence, still_rising
from training.search.result import Cost, Role, SearchResult, Trial


def run(role: Role, layers: int, best_epoch: int, score: float, total_epochs: int | None = None) -> Trial:
    one = trial(role, layers, score)
    return one.model_copy(update={"best_epoch": best_epoch, "total_epochs": total_epochs})


def result(*trials: Trial, epochs: int | None = 5) -> SearchResult:
    """The first trial is the chosen teacher."""
    return SearchResult(
        task="rte",
        kind=Kind.CLASSIFICATION,
        metric="accuracy",
        labels=["a", "b"],
        encoder="bert",
        encoder_layers=12,
        data="data",
        data_sha256="0",
        train_rows=1,
        dev_rows=1,
        epochs=epochs,
        teacher=0,
        trials=list(trials),
        cost=Cost(hidden_states=0, teachers=1, teacher_logits=0, students=1),
    )


@pytest.mark.parametrize(("best_epoch", "rises"), [(5, True), (4, True), (3, False)])
def test_a_best_epoch_at_or_next_to_the_last_is_said(best_epoch: int, rises: bool) -> None:
    found = still_rising(result(run("teacher", 4, 1, 70.0), run("full", 12, best_epoch, 80.0)))
    expected = f"full fine-tuning still rising (its best epoch is {best_epoch} of 5): use more epochs."
    assert found == ([expected] if rises else [])


def test_a_longer_run_that_gains_is_said_with_both_scores_and_one_that_does_not_shows_convergence() -> None:
    teacher = run("teacher", 4, 1, 70.0)
    rising = result(teacher, run("full", 12, 3, 71.9), run("full", 12, 6, 84.4, total_epochs=10))
    assert still_rising(rising) == [
        "full fine-tuning still rising (71.90 with 5 epochs, 84.40 with 10 epochs): use more epochs."
    ]
    flat = result(teacher, run("full", 12, 5, 84.2), run("full", 12, 10, 84.4, total_epochs=10))
    assert still_rising(flat) == []
    assert {one.name: one.verdict for one in convergence(flat)}["full fine-tuning"] == "converged"


def test_flat_runs_that_only_know_one_answer_have_not_begun() -> None:
    runs = (run("teacher", 4, 1, 70.0), run("full", 12, 5, 68.0), run("full", 12, 10, 68.2, total_epochs=10))
    stuck = result(*runs).model_copy(update={"constant_score": 68.0})
    assert still_rising(stuck) == [
        "full fine-tuning scores 68.20 with up to 10 epochs, as one answer for all texts does: use more epochs or "
        "another learning rate."
    ]
    assert still_rising(stuck.model_copy(update={"constant_score": 60.0})) == []


def test_only_the_chosen_teacher_and_each_students_best_are_looked_at() -> None:
    found = still_rising(
        result(
            run("teacher", 4, 1, 70.0),
            run("teacher", 6, 5, 65.0),  # not chosen
            run("student", 1, 5, 60.0),  # not the best rate
            run("student", 1, 2, 61.0),
            run("student", 2, 5, 64.0),
        )
    )
    assert found == ["the student, l = 2, still rising (its best epoch is 5 of 5): use more epochs."]


def test_a_result_of_an_earlier_espalier_counts_the_epochs_of_its_curve() -> None:
    old = run("full", 12, 3, 80.0).model_copy(update={"epochs": {1: 70.0, 2: 75.0, 3: 80.0}})
    teacher = run("teacher", 4, 1, 70.0).model_copy(update={"epochs": {1: 70.0, 2: 69.0, 3: 68.0}})
    assert len(still_rising(result(teacher, old, epochs=None))) == 1
