from statistics import stdev

import pytest

from training.figure import Figure, average_error, share_error


def figure(*draws: float) -> Figure:
    return Figure(rows=100, score=80.0, draws=list(draws), chose_nothing=True)


def test_an_average_of_independent_tasks_is_surer_than_one_of_them() -> None:
    one, other = figure(79.0, 81.0, 79.0, 81.0), figure(79.0, 79.0, 81.0, 81.0)
    assert one.error == pytest.approx(stdev([79, 81, 79, 81]))
    assert average_error([one, other]) == pytest.approx(one.error / 2**0.5)


def test_luck_that_two_ways_share_has_no_part_in_their_ratio() -> None:
    ours, theirs = figure(40.0, 41.0, 42.0), figure(80.0, 82.0, 84.0)
    assert share_error([ours], [theirs]) == pytest.approx(0.0, abs=1e-12)
    assert share_error([ours], [figure(80.0, 84.0, 82.0)]) > 0.005


def test_what_was_not_drawn_has_no_error() -> None:
    assert (figure().error, average_error([figure(), figure(1.0, 2.0)]), share_error([figure()], [figure()])) == (
        None,
    ) * 3
