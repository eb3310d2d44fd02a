import pytest
from prometheus_client import generate_latest
from router.candidates import Outcome
from router.metrics import RouterMetrics
from router.registry import Version

CANARY = Version("intent", 2, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
SHADOW = Version("slots", 7, "tagging", ("O", "B-x"), 2, 16, "branch_slots", "trunk")


@pytest.fixture
def metrics():
    metrics = RouterMetrics("nlu")
    yield metrics
    metrics.close()


@pytest.fixture
def counted(metrics):
    """(name, labels) -> the number that /metrics would show, None if there is none."""

    def counted(name, **labels):
        metrics.flush()
        return metrics.registry.get_sample_value(name, labels)

    return counted


def _of(version, **labels):
    return {"model": "nlu", "task": version.task, "version": str(version.number), **labels}


def test_each_batch_adds_its_tokens(metrics, counted):
    metrics.count_tokens(10, 3)
    metrics.count_tokens(8, 0)

    assert counted("espalier_tokens_total", model="nlu") == 18
    assert counted("espalier_padding_tokens_total", model="nlu") == 3


def test_the_cache_s_totals_are_added_once(metrics, counted):
    metrics.set_cache_totals(5, 2)
    metrics.set_cache_totals(6, 2)

    assert counted("espalier_result_cache_hits_total", model="nlu") == 6
    assert counted("espalier_result_cache_misses_total", model="nlu") == 2


def test_layers_are_shown_of_the_versions_that_are_computed_and_0_of_those_that_were(metrics, counted):
    metrics.set_layers({CANARY: 3, SHADOW: 1})
    metrics.set_layers({CANARY: 3})
    metrics.count_trunk(0.5)
    metrics.count_trunk(0.25)

    of_canary, of_shadow = ({"task": one.task, "version": str(one.number)} for one in (CANARY, SHADOW))
    assert counted("espalier_task_layers", **of_canary) == 3
    assert counted("espalier_task_layers_alone", **of_canary) == 2 + 3
    assert counted("espalier_task_layers", **of_shadow) == 0
    assert counted("espalier_task_layers_alone", **of_shadow) == 0
    assert counted("espalier_trunk_seconds_total", model="nlu") == 0.75


def test_a_version_s_texts_answers_errors_and_calls_are_its_own(metrics, counted):
    metrics.count_answers(CANARY, 3, {"a": 2, "b": 1}, 0.004)
    metrics.count_answers(CANARY, 1, {"a": 1}, 0.3)
    metrics.count_errors(CANARY, 2, "unavailable")
    metrics.count_errors(SHADOW, 1, "failed")

    assert counted("espalier_texts_total", **_of(CANARY)) == 6
    assert counted("espalier_errors_total", **_of(CANARY, **{"class": "unavailable"})) == 2
    assert counted("espalier_errors_total", **_of(CANARY, **{"class": "failed"})) == 0, "none, and not unknown"
    assert counted("espalier_errors_total", **_of(SHADOW, **{"class": "failed"})) == 1
    own = {"task": "intent", "version": "2"}
    assert counted("espalier_answers_total", **own, label="a") == 3
    assert counted("espalier_answers_total", **own, label="b") == 1
    assert counted("espalier_branch_seconds_count", **own) == 2
    assert counted("espalier_branch_seconds_bucket", **own, le="0.005") == 1


def test_depth_counts_sequences_by_tap_and_the_layers_below_it(metrics, counted):
    metrics.count_depth(4, 2)
    metrics.count_depth(1, 6)
    metrics.count_depth(3, 6)

    assert counted("espalier_trunk_reached_total", model="nlu", tap="2") == 4
    assert counted("espalier_trunk_reached_total", model="nlu", tap="6") == 4
    assert counted("espalier_trunk_layers_total", model="nlu") == 4 * 2 + 4 * 6


def test_candidates_are_counted_by_task_and_version(metrics, counted):
    metrics.count_candidate(CANARY, Outcome(answers=3, errors=1, calls=2, seconds=0.1))
    metrics.count_candidate(SHADOW, Outcome(answers=8, calls=1, compared=8, differing={0: ({}, {}), 5: ({}, {})}))
    metrics.count_candidate(CANARY, Outcome(answers=4, calls=1))

    assert counted("espalier_candidate_answers_total", **_of(CANARY)) == 7
    assert counted("espalier_candidate_errors_total", **_of(CANARY)) == 1
    assert counted("espalier_shadow_compared_total", **_of(SHADOW)) == 8
    assert counted("espalier_shadow_differing_total", **_of(SHADOW)) == 2
    assert counted("espalier_candidate_errors_total", **_of(SHADOW)) == 0, "none, and not unknown"


def test_a_breaker_shows_as_open_until_it_closes(metrics, counted):
    metrics.set_breaker("branch_intent", 2, is_open=True)
    metrics.count_refused("branch_intent", 2)
    assert counted("espalier_breaker_open", model="branch_intent", version="2") == 1

    metrics.set_breaker("branch_intent", 2, is_open=False)

    assert counted("espalier_breaker_open", model="branch_intent", version="2") == 0
    assert counted("espalier_breaker_refused_total", model="branch_intent", version="2") == 1


def test_a_registry_without_a_number_shows_no_generation(metrics, counted):
    metrics.set_registry(None, is_rejected=False)
    assert counted("espalier_registry_generation", model="nlu") is None

    metrics.set_registry(12, is_rejected=True)

    assert counted("espalier_registry_generation", model="nlu") == 12
    assert counted("espalier_registry_rejected", model="nlu") == 1


def test_what_was_counted_shows_by_itself_a_moment_later(metrics):
    metrics.count_batch(3)
    for _ in range(200):
        if b'espalier_batch_texts_count{model="nlu"} 1.0' in generate_latest(metrics.registry):
            return
        metrics._tally._closed.wait(0.02)
    pytest.fail("the tally never handed it over")
