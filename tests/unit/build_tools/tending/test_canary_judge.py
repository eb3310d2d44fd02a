"""A canary is judged by what all servers together have seen."""

import pytest

from build_tools.repository.registry import CanaryEntry
from build_tools.repository.replica_state import CandidateCounts, ReplicaState
from build_tools.tending.canary_judge import CanaryJudge


@pytest.fixture
def judge(registry):
    """Judges version 2 of intent, which is a canary, by {server: its counts}. Returns the reasons."""
    terms = {"max_error_rate": 0.1, "max_milliseconds": 50.0, "minimum": 90}
    registry.tasks["intent"].canary = CanaryEntry(version=2, share=0.1, **terms)
    own = CanaryJudge()

    def judge(servers, registry=registry):
        states = {
            name: ReplicaState(server=name, ready=True, generation=1, counts={"intent": {2: CandidateCounts(**counts)}})
            for name, counts in servers.items()
        }
        return [verdict.reason for verdict in own.judge(registry, states)]

    return judge


def _seen(answers, errors=0, milliseconds=1.0):
    calls = answers + errors
    return {"answers": answers, "errors": errors, "calls": calls, "seconds": calls * milliseconds / 1000}


def test_servers_that_see_too_little_each_see_enough_together(judge):
    assert judge({"a": _seen(26, 4), "b": _seen(26, 4)}) == []
    (reason,) = judge({"a": _seen(26, 4), "b": _seen(26, 4), "c": _seen(26, 4)})
    assert reason == "13.3% of its last 90 answers on all servers were errors; the limit is 10.0%"


def test_slow_calls_break_a_bound_too(judge):
    (reason,) = judge({"a": _seen(60, milliseconds=20), "b": _seen(40, milliseconds=100)})
    assert reason == "its calls took 52.0 ms on average; the limit is 50 ms"


def test_answers_are_counted_once_however_often_a_server_is_asked(judge):
    for _ in range(100):
        assert judge({"a": _seen(10, 10), "b": _seen(10, 10)}) == []


def test_a_server_that_was_started_again_counts_anew_and_its_earlier_answers_stay(judge):
    assert judge({"a": _seen(30), "b": _seen(40)}) == []
    assert judge({"a": _seen(3, 4), "b": _seen(40)}) == []  # its routers were
    (reason,) = judge({"a'": _seen(8, 6), "b": _seen(40)})  # as a whole: another process
    assert "of its last 91 answers" in reason


def test_one_router_that_drops_it_is_enough(judge):
    (reason,) = judge({"a": _seen(1), "b": {**_seen(1), "dropped": True}})
    assert "a router on b has found it out of bounds" in reason


def test_a_late_failure_shows_however_long_it_went_well(judge):
    assert judge({"a": _seen(100_000)}) == []
    errors = 0
    for errors in range(0, 2000, 10):
        if judge({"a": _seen(100_000, errors)}):
            break
    assert errors < 1000


def test_the_next_canary_is_judged_by_its_own_answers(judge, registry):
    assert judge({"a": _seen(60, 60)})
    after = registry.model_copy(deep=True)
    after.tasks["intent"].canary.version = 1
    assert judge({"a": _seen(60, 60)}, after) == []
    after.tasks["intent"].canary = None
    assert judge({"a": _seen(60, 60)}, after) == []
