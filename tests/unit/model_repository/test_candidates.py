from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from router.candidates import Candidates, same_answer
from router.registry import Canary, Registry, Task, Version

LIVE = Version("intent", 1, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
NEW = replace(LIVE, number=2)
OTHER = replace(LIVE, task="slots")
OTHER_NEW = replace(LIVE, task="slots", number=2)


def _answer(label, score=0.9):
    return {"label": label, "score": score, "version": 1, "truncated": False}


@pytest.fixture
def canary():
    """The candidates of a batch with a canary of intent."""
    return Candidates(Registry({"intent": Task(LIVE, canary=Canary(NEW, 0.5, 0.1, 50, 10)), "slots": Task(OTHER)}))


@pytest.fixture
def shadow():
    """The candidates of a batch with a shadow of intent and one of slots."""
    return Candidates(Registry({"intent": Task(LIVE, shadow=NEW), "slots": Task(OTHER, shadow=OTHER_NEW)}))


def test_without_candidates_there_are_no_outcomes():
    candidates = Candidates(Registry({"intent": Task(LIVE)}))

    candidates.add(LIVE, {0: _answer("a")}, errors=1, seconds=1.0)

    assert candidates.outcomes == {}


def test_the_calls_of_a_canary_are_summed_up_and_those_of_live_versions_are_not(canary):
    canary.add(NEW, {0: _answer("a"), 1: _answer("b")}, errors=0, seconds=0.25)
    canary.add(NEW, {}, errors=3, seconds=0.5)
    canary.add(LIVE, {2: _answer("a")}, errors=4, seconds=8.0)
    canary.add(OTHER, {0: _answer("a")}, errors=0, seconds=8.0)

    assert list(canary.outcomes) == [NEW]
    outcome = canary.outcomes[NEW]
    assert (outcome.answers, outcome.errors, outcome.calls, outcome.seconds) == (2, 3, 2, 0.75)
    assert (outcome.compared, outcome.differing) == (0, {})


def test_a_shadow_s_answers_are_for_nobody_and_a_canary_s_are_for_callers(canary, shadow):
    assert [shadow.is_shadow(version) for version in (NEW, LIVE, OTHER_NEW, OTHER)] == [True, False, True, False]
    assert not canary.is_shadow(NEW)


@pytest.mark.parametrize("shadow_is_first", [True, False])
def test_a_shadow_is_compared_row_by_row_whichever_version_is_done_first(shadow, shadow_is_first):
    live = {0: _answer("a"), 1: _answer("a"), 2: _answer("b")}
    new = {0: _answer("a", 0.4), 1: _answer("b"), 2: _answer("a")}
    calls = [(LIVE, live), (NEW, new)]

    for version, answers in reversed(calls) if shadow_is_first else calls:
        shadow.add(version, answers, errors=0, seconds=0.1)

    assert shadow.outcomes[NEW].compared == 3
    assert shadow.outcomes[NEW].differing == {1: (live[1], new[1]), 2: (live[2], new[2])}
    assert list(shadow.outcomes) == [NEW]


def test_rows_that_come_in_several_calls_are_compared_once_each(shadow):
    shadow.add(LIVE, {0: _answer("a")}, errors=0, seconds=0.1)
    shadow.add(NEW, {1: _answer("b"), 0: _answer("b")}, errors=0, seconds=0.1)
    shadow.add(LIVE, {1: _answer("b")}, errors=0, seconds=0.1)

    outcome = shadow.outcomes[NEW]
    assert (outcome.calls, outcome.answers, outcome.compared, list(outcome.differing)) == (1, 2, 2, [0])


def test_shadows_of_two_tasks_are_compared_with_their_own_live_versions(shadow):
    shadow.add(LIVE, {0: _answer("a")}, errors=0, seconds=0.1)
    shadow.add(OTHER, {0: _answer("b")}, errors=0, seconds=0.1)
    shadow.add(OTHER_NEW, {0: _answer("b")}, errors=0, seconds=0.1)
    shadow.add(NEW, {0: _answer("b")}, errors=0, seconds=0.1)

    assert list(shadow.outcomes[NEW].differing) == [0]
    assert (shadow.outcomes[OTHER_NEW].compared, shadow.outcomes[OTHER_NEW].differing) == (1, {})


def test_where_one_of_the_two_fails_nothing_is_compared(shadow):
    shadow.add(LIVE, {0: _answer("a")}, errors=0, seconds=0.1)
    shadow.add(NEW, {}, errors=1, seconds=0.1)
    shadow.add(OTHER, {}, errors=1, seconds=0.1)
    shadow.add(OTHER_NEW, {0: _answer("a")}, errors=0, seconds=0.1)

    assert (shadow.outcomes[NEW].errors, shadow.outcomes[NEW].compared) == (1, 0)
    assert (shadow.outcomes[OTHER_NEW].errors, shadow.outcomes[OTHER_NEW].compared) == (0, 0)


def _span(start, end, label, score=0.9):
    return {"start": start, "end": end, "label": label, "text": "x", "score": score}


@pytest.mark.parametrize(
    ("live", "other"),
    [
        (_answer("a", 0.9), _answer("a", 0.3)),
        ({"labels": [{"label": "a", "score": 0.9}]}, {"labels": [{"label": "a", "score": 0.6}]}),
        (
            {"labels": [{"label": "a", "score": 0.9}, {"label": "b", "score": 0.8}]},
            {"labels": [{"label": "b", "score": 0.9}, {"label": "a", "score": 0.8}]},
        ),
        ({"labels": []}, {"labels": []}),
        ({"spans": [_span(0, 4, "x")]}, {"spans": [_span(0, 4, "x", 0.5)]}),
        ({"spans": []}, {"spans": []}),
        ({"score": 0.3}, {"score": 0.34}),
        ({"score": -4.0}, {"score": -4.19}),
    ],
)
def test_answers_that_differ_in_scores_alone_say_the_same(live, other):
    assert same_answer(live, other | {"version": 2, "truncated": True})


@pytest.mark.parametrize(
    ("live", "other"),
    [
        (_answer("a"), _answer("b")),
        ({"labels": [{"label": "a", "score": 0.9}]}, {"labels": []}),
        ({"labels": [{"label": "a", "score": 0.9}]}, {"labels": [{"label": "b", "score": 0.9}]}),
        ({"spans": [_span(0, 4, "x")]}, {"spans": []}),
        ({"spans": [_span(0, 4, "x")]}, {"spans": [_span(0, 5, "x")]}),
        ({"spans": [_span(0, 4, "x")]}, {"spans": [_span(1, 4, "x")]}),
        ({"spans": [_span(0, 4, "x")]}, {"spans": [_span(0, 4, "y")]}),
        ({"score": 0.3}, {"score": 0.36}),
        ({"score": 4.0}, {"score": 4.3}),
        ({"score": 0.3}, {"score": -0.3}),
        # A version of another kind says something else, even if neither finds anything.
        ({"labels": []}, {"spans": []}),
        ({"score": 0.9}, _answer("a", 0.9)),
        (_answer("a"), {"labels": [{"label": "a", "score": 0.9}]}),
    ],
)
def test_answers_that_say_something_else_differ(live, other):
    assert not same_answer(live, other)
    assert not same_answer(other, live)


@pytest.mark.usefixtures("often_interrupted")
def test_calls_that_end_at_the_same_time_lose_no_count(shadow):
    rows = range(400)

    def calls(version):
        for row in rows:
            shadow.add(version, {row: _answer("a" if version is LIVE or row % 2 else "b")}, errors=1, seconds=1.0)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(calls, (LIVE, NEW)))

    outcome = shadow.outcomes[NEW]
    assert (outcome.answers, outcome.errors, outcome.calls, outcome.seconds) == (400, 400, 400, 400.0)
    assert outcome.compared == 400
    assert sorted(outcome.differing) == list(rows[::2])
