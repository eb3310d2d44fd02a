import importlib
from types import SimpleNamespace

import pytest


class MetricFamily:
    """Triton's, which counts here instead of in the server."""

    COUNTER = "counter"
    counted: dict[str, list[int]]

    def __init__(self, name, description, kind):  # noqa: ARG002
        self._name = name

    def Metric(self, labels):  # noqa: N802
        assert labels == {"model": "nlu"}
        return SimpleNamespace(increment=self.counted.setdefault(self._name, []).append)


@pytest.fixture
def metrics(triton, monkeypatch):  # noqa: ARG001
    MetricFamily.counted = {}
    monkeypatch.setattr("triton_python_backend_utils.MetricFamily", MetricFamily, raising=False)
    return importlib.import_module("router.metrics").RouterMetrics("nlu")


def test_each_batch_adds_its_tokens_and_nothing_is_sent_for_none(metrics):
    metrics.count_tokens(10, 3)
    metrics.count_tokens(8, 0)

    assert MetricFamily.counted["espalier_tokens_total"] == [10, 8]
    assert MetricFamily.counted["espalier_padding_tokens_total"] == [3]


def test_the_cache_s_totals_are_told_once(metrics):
    metrics.tell_cache(5, 2)
    metrics.tell_cache(6, 2)

    assert MetricFamily.counted["espalier_result_cache_hits_total"] == [5, 1]
    assert MetricFamily.counted["espalier_result_cache_misses_total"] == [2]
