import pytest

from build_tools.publishing.metrics_page import MetricsPage
from build_tools.publishing.pace import ERRORS, MEMORY, PROCESSES, SECONDS, TEXTS, Footprint, Pace, footprints, paces


def _page(seconds: float, texts: int, errors: int, fast: int, slow: int) -> MetricsPage:
    version = 'task="intent",version="3"'
    lines = [
        f'{TEXTS}{{model="nlu",{version}}} {texts}',
        f'{TEXTS}{{model="nlu_stream",{version}}} 7',
        f'{ERRORS}{{model="nlu",{version},class="failed"}} {errors}',
        f'{SECONDS}{{model="nlu",{version},le="0.01"}} {fast}',
        f'{SECONDS}{{model="nlu",{version},le="0.02"}} {fast + slow}',
        f'{SECONDS}{{model="nlu",{version},le="+Inf"}} {fast + slow}',
    ]
    return MetricsPage.of("\n".join(lines) + "\n", seconds)


def test_rates_and_percentiles_are_of_what_happened_between_the_two_moments() -> None:
    before, now = _page(10.0, 1000, 5, 1_000_000, 0), _page(12.0, 1300, 9, 1_000_050, 50)

    pace = paces(now, before)["intent", 3]

    assert (pace.texts, pace.errors) == (150.0, 2.0)
    assert pace.p50 == pytest.approx(10.0)
    assert pace.p99 == pytest.approx(19.8)


def test_at_one_moment_there_are_percentiles_of_all_calls_and_no_rates() -> None:
    pace = paces(_page(10.0, 1000, 5, 50, 50), None)["intent", 3]

    assert (pace.texts, pace.errors) == (None, None)
    assert pace.p50 == pytest.approx(10.0)


def test_a_router_that_was_started_again_counts_from_0_and_no_rate_is_negative() -> None:
    pace = paces(_page(12.0, 40, 2, 10, 0), _page(10.0, 1000, 5, 100, 0))["intent", 3]

    assert pace.texts == 23.5  # 47 texts in 2 s
    assert pace.errors == 1.0
    assert pace.p99 is not None
    assert 0 < pace.p99 <= 10


def test_a_version_that_nobody_asked_in_between_has_a_rate_of_0_and_no_percentiles() -> None:
    assert paces(_page(12.0, 10, 0, 5, 5), _page(10.0, 10, 0, 5, 5)) == {("intent", 3): Pace(0.0, 0.0, None, None)}


def test_processes_and_memory_are_told_by_model() -> None:
    text = f'{PROCESSES}{{model="branch_intent"}} 2\n{MEMORY}{{model="branch_intent"}} 3e+08\n'
    assert footprints(MetricsPage.of(text, 0.0)) == {"branch_intent": Footprint(2, 300_000_000)}
