import pytest
from router.candidates import Outcome
from router.registry import Version

CANARY = Version("intent", 2, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
SHADOW = Version("slots", 7, "tagging", ("O", "B-x"), 2, 16, "branch_slots", "trunk")


@pytest.fixture
def metrics(metrics_module):
    return metrics_module.RouterMetrics("nlu")


def test_each_batch_adds_its_tokens_and_nothing_is_sent_for_none(metrics, counters):
    metrics.count_tokens(10, 3)
    metrics.count_tokens(8, 0)

    assert counters["espalier_tokens_total", "nlu"] == [10, 8]
    assert counters["espalier_padding_tokens_total", "nlu"] == [3]


def test_the_cache_s_totals_are_added_once(metrics, counters):
    metrics.set_cache_totals(5, 2)
    metrics.set_cache_totals(6, 2)

    assert counters["espalier_result_cache_hits_total", "nlu"] == [5, 1]
    assert counters["espalier_result_cache_misses_total", "nlu"] == [2]


def test_without_candidates_there_are_no_counters_of_them(metrics, counters):
    metrics.count_tokens(10, 3)
    metrics.set_cache_totals(5, 2)

    assert not [key for key in counters if "candidate" in key[0] or "shadow" in key[0]]


def test_candidates_are_counted_by_task_and_version(metrics, counters):
    metrics.count_candidate(CANARY, Outcome(answers=3, errors=1, calls=2, seconds=0.1))
    metrics.count_candidate(SHADOW, Outcome(answers=8, calls=1, compared=8, differing={0: ({}, {}), 5: ({}, {})}))
    metrics.count_candidate(CANARY, Outcome(answers=4, calls=1))

    counted = {key: numbers for key, numbers in counters.items() if numbers}
    assert counted == {
        ("espalier_candidate_answers_total", "nlu", "intent", "2"): [3, 4],
        ("espalier_candidate_errors_total", "nlu", "intent", "2"): [1],
        ("espalier_candidate_answers_total", "nlu", "slots", "7"): [8],
        ("espalier_shadow_compared_total", "nlu", "slots", "7"): [8],
        ("espalier_shadow_differing_total", "nlu", "slots", "7"): [2],
    }


def test_a_candidate_without_errors_shows_as_none_and_not_as_unknown(metrics, counters):
    metrics.count_candidate(CANARY, Outcome(answers=3))

    assert counters["espalier_candidate_errors_total", "nlu", "intent", "2"] == []
