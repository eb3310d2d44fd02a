import pytest
from router.durations import Durations


@pytest.fixture
def durations():
    durations = Durations()
    for task, seconds in (("short", 0.01), ("long", 0.3), ("middle", 0.1)):
        durations.add(task, seconds)
    return durations


def test_the_longest_begin_first_and_those_never_called_last(durations):
    assert durations.longest_first(["new", "short", "middle", "long"]) == ["long", "middle", "short", "new"]


def test_tasks_that_nothing_is_known_of_keep_their_order():
    assert Durations().longest_first(["b", "a", "c"]) == ["b", "a", "c"]


def test_one_slow_call_does_not_put_a_short_branch_first_but_a_branch_that_became_slow_is_noticed(durations):
    durations.add("short", 1.0)
    assert durations.longest_first(["short", "long"]) == ["long", "short"]

    for _ in range(10):
        durations.add("short", 1.0)

    assert durations.longest_first(["short", "long"]) == ["short", "long"]
