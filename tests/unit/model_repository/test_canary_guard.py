from dataclasses import replace

import pytest
from router.canary_guard import CanaryGuard
from router.candidates import Outcome
from router.registry import Canary, Version
from router.row import Row

VERSION = Version("intent", 2, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
CANARY = Canary(VERSION, share=0.1, max_error_rate=0.1, max_milliseconds=50, minimum=20)


@pytest.fixture
def guard():
    return CanaryGuard()


def _rows(count, begin=0):
    return [Row(f"text {number}", None, ("intent",), False, object()) for number in range(begin, begin + count)]


def _labelled(rows, labels, live_labels):
    """An outcome in which the canary answered the first half of the rows, and the live version the others."""
    half = len(rows) // 2
    return Outcome(
        half,
        calls=1,
        seconds=0.01,
        labels={row: [labels(row)] for row in range(half)},
        live_labels={row: [live_labels(row)] for row in range(half, len(rows))},
    )


def _batch(answers=0, errors=0, milliseconds=10.0):
    return Outcome(answers, errors, calls=1, seconds=milliseconds / 1000)


def test_a_canary_within_its_bounds_stays(guard):
    assert [guard.judge(CANARY, _batch(answers=9, errors=1)) for _ in range(100)] == [None] * 100


def test_errors_beyond_the_bound_are_a_reason_that_names_both(guard):
    reason = guard.judge(CANARY, _batch(answers=15, errors=5))

    assert "25.0%" in reason
    assert "10.0%" in reason


def test_slow_calls_are_a_reason_that_names_both(guard):
    reason = guard.judge(CANARY, _batch(answers=20, milliseconds=80))

    assert "80.0 ms" in reason
    assert "50 ms" in reason


def test_one_slow_call_among_quick_ones_is_none(guard):
    assert guard.judge(CANARY, _batch(answers=10, milliseconds=90)) is None
    assert guard.judge(CANARY, _batch(answers=10, milliseconds=5)) is None


@pytest.mark.parametrize("bad", [{"errors": 19}, {"answers": 19, "milliseconds": 5000}])
def test_a_canary_is_not_judged_before_its_minimum_and_then_by_all_it_has_done(guard, bad):
    assert guard.judge(CANARY, _batch(**bad)) is None

    assert guard.judge(CANARY, _batch(answers=1)) is not None


def test_a_canary_of_which_every_call_fails_is_judged_although_it_never_answers(guard):
    assert guard.judge(CANARY, _batch(errors=10)) is None

    assert "100.0%" in guard.judge(CANARY, _batch(errors=10))


@pytest.mark.parametrize("bad", [{"errors": 4}, {"answers": 4, "milliseconds": 500}])
def test_a_canary_that_goes_bad_after_a_long_good_time_is_noticed_soon(guard, bad):
    for _ in range(5000):
        assert guard.judge(CANARY, _batch(answers=4)) is None

    reasons = [guard.judge(CANARY, _batch(**bad)) for _ in range(15)]

    assert any(reasons), "60 bad answers after 20000 good ones"


def test_what_another_task_s_canary_does_is_not_held_against_this_one(guard):
    other = replace(CANARY, version=replace(VERSION, task="slots"))

    assert guard.judge(other, _batch(errors=100)) is not None
    assert guard.judge(CANARY, _batch(answers=20)) is None


def test_the_next_version_starts_from_zero(guard):
    assert guard.judge(CANARY, _batch(errors=100)) is not None

    assert guard.judge(replace(CANARY, version=replace(VERSION, number=3)), _batch(answers=20)) is None


def test_calls_of_many_texts_do_not_look_slower_than_they_are(guard):
    canary = replace(CANARY, minimum=1)

    assert [guard.judge(canary, _batch(answers=64, milliseconds=40)) for _ in range(10)] == [None] * 10


SHIFT = replace(CANARY, minimum=100, max_label_shift=0.2)


def _tenth(row):
    return "b" if row % 10 == 0 else "a"


def test_a_canary_that_says_alarm_to_everything_is_noticed_although_it_makes_no_error(guard):
    rows = _rows(2000)

    reason = guard.judge(SHIFT, _labelled(rows, lambda _: "b", _tenth), rows)

    assert "labels" in reason
    assert "20%" in reason


def test_a_canary_that_answers_as_the_live_version_does_stays_however_long(guard):
    reasons = []
    for batch in range(40):
        rows = _rows(100, 100 * batch)
        reasons.append(guard.judge(SHIFT, _labelled(rows, _tenth, _tenth), rows))

    assert reasons == [None] * 40


def test_the_distribution_is_not_judged_before_both_have_answered_the_minimum(guard):
    rows = _rows(198)

    assert guard.judge(SHIFT, _labelled(rows, lambda _: "b", lambda _: "a"), rows) is None


def test_the_same_text_asked_again_and_again_does_not_count_again(guard):
    """All askings of a text go to the same version, so a popular text alone would look like a shift."""
    popular = _rows(1) * 2000

    assert guard.judge(SHIFT, _labelled(popular, lambda _: "b", lambda _: "a"), popular) is None


def test_a_bound_of_one_never_withdraws(guard):
    rows = _rows(4000)

    assert guard.judge(replace(SHIFT, max_label_shift=1.0), _labelled(rows, lambda _: "b", lambda _: "a"), rows) is None


def test_a_minimum_beyond_what_a_sample_keeps_does_not_switch_the_bound_off(guard, monkeypatch):
    monkeypatch.setattr("router.label_shift._MOST_TEXTS", 1000)
    canary = replace(SHIFT, minimum=1500)
    rows = _rows(6000)

    assert "labels" in guard.judge(canary, _labelled(rows, lambda _: "b", lambda _: "a"), rows)
