import pytest

from build_tools.publishing.costs import branch_milliseconds, trunk_milliseconds
from build_tools.publishing.metrics_page import MetricsPage


def _page(texts: int, branch: float, layers: int, trunk: float) -> MetricsPage:
    version = 'task="intent",version="3"'
    lines = [
        f'espalier_texts_total{{model="nlu",{version}}} {texts}',
        'espalier_texts_total{model="nlu",task="mood",version="1"} 0',
        f"espalier_branch_seconds_sum{{{version}}} {branch}",
        'espalier_branch_seconds_sum{task="mood",version="1"} 0',
        f'espalier_trunk_layers_total{{model="nlu"}} {layers}',
        f'espalier_trunk_seconds_total{{model="nlu"}} {trunk}',
    ]
    return MetricsPage.of("\n".join(lines) + "\n", 0.0)


def test_a_task_s_milliseconds_are_those_of_a_text_and_a_task_that_was_not_asked_has_none() -> None:
    assert branch_milliseconds(_page(400, 2.0, 1, 1.0), None) == {("intent", 3): 5.0}


def test_between_two_moments_only_what_happened_since_counts() -> None:
    before, now = _page(400, 2.0, 100, 1.0), _page(500, 2.1, 150, 1.2)

    assert branch_milliseconds(now, before)["intent", 3] == pytest.approx(1.0)
    assert trunk_milliseconds(now, before) == pytest.approx(4.0)


def test_a_trunk_that_computed_nothing_has_no_milliseconds() -> None:
    assert trunk_milliseconds(_page(0, 0, 0, 0), None) is None
    assert trunk_milliseconds(MetricsPage.of("", 0.0), None) is None
