"""A canary is judged by what all servers together have seen."""

import pytest

from build_tools.repository.registry import CanaryEntry
from build_tools.repository.replica_state import CandidateCounts, ReplicaState
from build_tools.tending.canary_judge import CanaryJudge


@pytest.fixture
def registry(registry):
    """Version 2 of intent is a canary."""
    terms = {"max_error_rate": 0.1, "max_milliseconds": 50.0, "minimum": 90}
    registry.tasks["intent"].canary = CanaryEntry(version=2, share=0.1, **terms)
    return registry


@pytest.fixture
def judge(registry):
    """Judges it by {server: its counts}. Returns the reasons."""
    own = CanaryJudge(routers_per_server=2)

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


def _labelled(texts, repeated=0, **counts):
    return {"texts": texts, "answers": texts + repeated, "labels": counts}


@pytest.fixture
def judge_labels(registry):
    """Judges it by {server: (counts of the canary, counts of the live version)}, beginning with none."""
    own = CanaryJudge(routers_per_server=2)
    nothing = _labelled(0)

    def judge_labels(servers):
        reasons = []
        for now in (dict.fromkeys(servers, (nothing, nothing)), servers):
            states = {}
            for name, (canary, live) in now.items():
                counts = {"intent": {2: CandidateCounts(**canary), 3: CandidateCounts(**live)}}
                states[name] = ReplicaState(server=name, ready=True, generation=1, counts=counts)
            reasons = [verdict.reason for verdict in own.judge(registry, states)]
        return reasons

    return judge_labels


def test_a_canary_that_gives_one_label_to_everything_is_seen_by_servers_of_which_each_saw_too_little(judge_labels):
    server = (_labelled(60, alarm=60), _labelled(400, alarm=100, music=300))
    assert judge_labels({"a": server}) == []
    (reason,) = judge_labels({"a": server, "b": server, "c": server})
    assert "texts on all servers are 75% away from those of the live version, 22% of which chance may explain" in reason


def test_one_that_answers_as_the_live_version_stays(judge_labels):
    server = (_labelled(1000, alarm=260, music=740), _labelled(9000, alarm=2200, music=6800))
    assert judge_labels(dict.fromkeys("abc", server)) == []


def test_texts_that_several_servers_were_asked_for_prove_no_more_than_once(judge_labels):
    """Twenty popular texts, which six routers have all answered many times, and each of them once counted."""
    server = (_labelled(40, repeated=4000, alarm=40), _labelled(1600, repeated=9000, alarm=400, music=1200))
    assert judge_labels(dict.fromkeys("abc", server)) == []


def test_what_earlier_canaries_left_in_the_counts_of_the_live_version_is_not_compared(registry):
    own = CanaryJudge(routers_per_server=2)
    for more in (0, 3000):
        now = CandidateCounts(**_labelled(100_000 + more, alarm=100_000, music=more))
        counts = {"intent": {2: CandidateCounts(**_labelled(more, music=more)), 3: now}}
        assert own.judge(registry, {"a": ReplicaState(server="a", ready=True, generation=1, counts=counts)}) == []


@pytest.mark.parametrize("answering", ["a", ""])
def test_servers_that_do_not_answer_now_have_counted_the_same_texts_all_the_same(registry, answering):
    """Forty texts, which six routers have all answered: fewer than the minimum, whoever answers at this moment."""
    own = CanaryJudge(routers_per_server=2)
    nothing = {"intent": {2: CandidateCounts(), 3: CandidateCounts()}}
    canary, live = _labelled(80, repeated=8000, alarm=80), _labelled(1600, alarm=400, music=1200)
    counted = {"intent": {2: CandidateCounts(**canary), 3: CandidateCounts(**live)}}
    for servers, counts in (("abc", nothing), ("abc", counted), (answering, counted)):
        states = {name: ReplicaState(server=name, ready=True, generation=1, counts=counts) for name in servers}
        assert own.judge(registry, states) == []
