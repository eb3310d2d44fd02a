from pathlib import Path

import optuna
import pytest

from training.errors import TrainingError
from training.search.ledger import Ledger
from training.search.result import Trial
from training.search.spec import Spec
from training.search.storage import open_storage, sqlite_url

SPECS = [Spec("teacher", layers, 1e-4, 0) for layers in (1, 2, 3)]


def open_ledger(folder: Path, prune: bool = False) -> Ledger:
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1) if prune else optuna.pruners.NopPruner()
    return Ledger(folder, open_storage(sqlite_url(folder / "trials.db")), "task-teachers", 3, pruner)


def finish(ledger: Ledger, score: float | None = 50.0) -> Spec | None:
    with ledger.claim(SPECS) as claim:
        if claim is None:
            return None
        state = "failed" if score is None else "finished"
        ledger.finish(claim, Trial(**claim.spec.params, state=state, score=score, epochs=claim.epochs, seconds=1.0))
        return claim.spec


def test_every_spec_is_claimed_once_in_order_and_then_no_more(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert [finish(ledger) for _ in range(4)] == [*SPECS, None]
    assert list(open_ledger(tmp_path).done()) == SPECS


def test_trial_under_way_is_given_to_no_one_else(tmp_path: Path) -> None:
    with open_ledger(tmp_path).claim(SPECS) as first, open_ledger(tmp_path).claim(SPECS) as second:
        assert (first.spec, second.spec) == (SPECS[0], SPECS[1])


def test_trial_whose_process_is_gone_is_claimed_again(tmp_path: Path) -> None:
    with open_ledger(tmp_path).claim(SPECS) as killed:
        killed.after_epoch(1, 30.0)
    ledger = open_ledger(tmp_path)
    with ledger.claim(SPECS) as again:
        assert again.spec == SPECS[0]
        assert again.epochs == {}
    assert ledger.done() == {}


def test_trial_that_was_enqueued_and_never_begun_is_claimed_again(tmp_path: Path) -> None:
    open_ledger(tmp_path).study.enqueue_trial(SPECS[1].params, user_attrs={"spec": SPECS[1].params})
    ledger = open_ledger(tmp_path)
    assert [finish(ledger) for _ in range(4)] == [*SPECS, None]


def test_failed_trial_is_done_and_not_repeated(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert finish(ledger, score=None) == SPECS[0]
    assert finish(ledger) == SPECS[1]
    assert ledger.done()[SPECS[0]].state == "failed"


def test_more_specs_may_be_asked_for_later(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    for _ in SPECS:
        finish(ledger)
    more = Spec("teacher", 2, 1e-4, seed=1)
    with ledger.claim([*SPECS, more]) as claim:
        assert claim.spec == more


def test_trial_behind_a_finished_one_is_pruned_and_one_ahead_is_not(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, prune=True)
    with ledger.claim(SPECS) as claim:
        claim.after_epoch(1, 60.0)
        ledger.finish(claim, Trial(**claim.spec.params, state="finished", score=60.0, epochs={1: 60.0}, seconds=1.0))
    with ledger.claim(SPECS) as ahead:
        ahead.after_epoch(1, 61.0)
        with ledger.claim(SPECS) as behind, pytest.raises(optuna.TrialPruned):
            behind.after_epoch(1, 59.0)


def test_seconds_of_several_processes_add_up(tmp_path: Path) -> None:
    for seconds in (1.5, 2.0):
        open_ledger(tmp_path).add_seconds("hidden_states", seconds)
    assert open_ledger(tmp_path).seconds("hidden_states") == 3.5


def test_learning_rate_of_any_size_is_kept_as_it_is(tmp_path: Path) -> None:
    huge = Spec("teacher", 1, 1e30, 0)
    with open_ledger(tmp_path).claim([huge]) as claim:
        assert claim.trial.params == huge.params


def test_storage_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"storage of the search's trials cannot be used .*finished trials are not"):
        open_storage(sqlite_url(tmp_path / "nowhere" / "trials.db"))


def test_a_storage_with_the_same_task_of_another_folder_is_refused(tmp_path: Path) -> None:
    storage = open_storage(sqlite_url(tmp_path / "trials.db"))
    for folder in ("a", "a", "b"):
        (tmp_path / folder / "locks").mkdir(parents=True, exist_ok=True)
        if folder == "a":
            Ledger(tmp_path / folder, storage, "task-teachers", 3, optuna.pruners.NopPruner())
            continue
        with pytest.raises(TrainingError, match="task-teachers of a search in another folder"):
            Ledger(tmp_path / folder, storage, "task-teachers", 3, optuna.pruners.NopPruner())
