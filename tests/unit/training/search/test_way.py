from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from training.search.ledger import Claim, Ledger
from training.search.result import Trial
from training.search.spec import Spec
from training.search.storage import open_storage
from training.search.way import Way

Score = Callable[[Spec], float]


@pytest.fixture
def open_way(tmp_path: Path) -> Callable[[Score], Way]:
    """open_way(score) returns a way of training whose trials take no time; trials have 5 epochs."""
    storage = open_storage(f"sqlite:///{tmp_path / 'trials.db'}")

    def open_way(score: Score) -> Way:
        def train(claim: Claim) -> Trial:
            return Trial(**claim.spec.params, state="finished", score=score(claim.spec), epochs={}, seconds=1.0)

        ledgers = (Ledger(tmp_path, storage, name, 5, optuna.pruners.NopPruner()) for name in ("base", "longer"))
        return Way(*ledgers, train, lambda: None, lambda *_: None, lambda: None, planned=7)

    return open_way


def epochs_of(way: Way) -> list[int]:
    return sorted(spec.total_epochs or 5 for spec in way.done())


FULL = [Spec("full", 12, rate, 0) for rate in (1e-5, 3e-5)]


def test_the_best_is_doubled_until_that_gains_less(open_way: Callable[[Score], Way]) -> None:
    gains = {5: 70.0, 10: 80.0, 20: 80.2}
    way = open_way(lambda spec: gains[spec.total_epochs or 5] + (spec.learning_rate == 3e-5))
    way.train_all(FULL)
    assert way.double(FULL, until=0.3, most=100) == ""
    assert epochs_of(way) == [5, 5, 10, 10, 20]
    assert {spec.learning_rate for spec in way.done() if spec.total_epochs == 20} == {3e-5}


def test_a_rate_that_leads_after_few_epochs_and_falls_behind_is_not_trained_on(
    open_way: Callable[[Score], Way],
) -> None:
    slow, fast = {5: 10.0, 10: 60.0, 20: 70.0, 40: 70.1}, {5: 16.0, 10: 30.0}
    way = open_way(lambda spec: (fast if spec.learning_rate == 3e-5 else slow)[spec.total_epochs or 5])
    way.train_all(FULL)
    assert way.double(FULL, until=0.3, most=100) == ""
    assert epochs_of(way) == [5, 5, 10, 10, 20, 40]


def test_a_search_that_was_killed_goes_on_from_the_longer_run_that_is_the_best(
    open_way: Callable[[Score], Way],
) -> None:
    way = open_way(lambda spec: float(spec.total_epochs or 5))
    way.train_all(FULL)
    way.double(FULL[:1], until=0.3, most=10)
    assert way.double([replace(FULL[0], total_epochs=10)], until=0.3, most=20).startswith("not converged with 20")
    assert epochs_of(way) == [5, 5, 10, 20]


def test_a_longer_run_that_fails_ends_the_doubling_and_is_said(open_way: Callable[[Score], Way]) -> None:
    way = open_way(lambda spec: float(spec.total_epochs or 5))
    train = way.train

    def fail(claim: Claim) -> Trial:
        trial = train(claim)
        is_long = (claim.spec.total_epochs or 5) > 10
        return trial.model_copy(update={"state": "failed", "score": None}) if is_long else trial

    way.train = fail
    way.train_all(FULL)
    assert way.double(FULL, until=0.3, most=100) == "not converged: full_L12_lr1e-05_seed0_epochs20 failed"


def test_runs_that_only_know_one_answer_are_doubled_however_flat_they_are(open_way: Callable[[Score], Way]) -> None:
    scores = {5: 68.0, 10: 68.2, 20: 80.0, 40: 80.1}
    way = open_way(lambda spec: scores[spec.total_epochs or 5])
    way.train_all(FULL)
    assert way.double(FULL, until=0.3, most=100, constant=68.0) == ""
    assert epochs_of(way) == [5, 5, 10, 10, 20, 40]


def test_a_bound_of_epochs_that_ends_a_rise_is_said(open_way: Callable[[Score], Way]) -> None:
    way = open_way(lambda spec: float(spec.total_epochs or 5))
    way.train_all(FULL)
    assert way.double(FULL, until=0.3, most=10) == "not converged with 10 epochs, the most that --most-epochs allows"


def test_rivals_get_as_many_epochs_as_they_must_also_where_nothing_is_gained(open_way: Callable[[Score], Way]) -> None:
    way = open_way(lambda _: 70.0)
    way.train_all(FULL)
    assert way.double(FULL, until=0.3, most=10, at_least=30).startswith("trained 10 epochs, fewer than the 30")
    assert way.double(FULL, until=0.3, most=100, at_least=30) == ""
    assert epochs_of(way) == [5, 5, 10, 10, 40], "20 would show nothing new"


def test_the_rate_is_chosen_with_the_middle_layers_and_the_others_use_it(open_way: Callable[[Score], Way]) -> None:
    way = open_way(lambda spec: -abs(spec.learning_rate - 1e-4))
    specs = [Spec("teacher", layers, rate, 0) for rate in (1e-5, 1e-4, 1e-3) for layers in (4, 5, 7, 10)]
    way.train_all(specs, rate_first=True)
    trained = {(spec.layers, spec.learning_rate) for spec in way.done()}
    assert trained == {(7, 1e-5), (7, 1e-4), (7, 1e-3), (4, 1e-4), (5, 1e-4), (10, 1e-4)}


def test_what_is_left_is_counted(open_way: Callable[[Score], Way]) -> None:
    way = open_way(lambda _: 70.0)
    assert way.to_do == 7  # planned
    way.train_all(FULL)
    assert way.to_do == 1  # it may be doubled
    way.is_over = True
    assert way.to_do == 0
