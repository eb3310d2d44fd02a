from types import SimpleNamespace

import pytest
from router.durations import Durations

SHORT, MIDDLE, LONG, NEW = (SimpleNamespace(task=task) for task in ("short", "middle", "long", "new"))


@pytest.fixture
def durations():
    durations = Durations()
    for version, seconds in ((SHORT, 0.01), (LONG, 0.3), (MIDDLE, 0.1)):
        durations.add(version, seconds)
    return durations


def test_the_longest_begin_first_and_those_never_called_last(durations):
    assert durations.longest_first([NEW, SHORT, MIDDLE, LONG]) == [LONG, MIDDLE, SHORT, NEW]


def test_tasks_that_nothing_is_known_of_keep_their_order():
    assert Durations().longest_first([MIDDLE, LONG, SHORT]) == [MIDDLE, LONG, SHORT]


def test_one_slow_call_does_not_put_a_short_branch_first_but_a_branch_that_became_slow_is_noticed(durations):
    durations.add(SHORT, 1.0)
    assert durations.longest_first([SHORT, LONG]) == [LONG, SHORT]

    for _ in range(10):
        durations.add(SHORT, 1.0)

    assert durations.longest_first([SHORT, LONG]) == [SHORT, LONG]
