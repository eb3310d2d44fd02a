import importlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest


class Metric:
    """Triton's, of which the server dies when two threads increment one of them at the same time."""

    def __init__(self):
        self.value = 0
        self._busy = threading.Lock()

    def increment(self, number):
        assert self._busy.acquire(blocking=False), "two increments of one metric at the same time"
        time.sleep(0.001)
        self.value += number
        self._busy.release()


class MetricFamily:
    COUNTER = "counter"
    metrics: dict[str, Metric]

    def __init__(self, name, description, kind):  # noqa: ARG002
        self._name = name

    def Metric(self, labels):  # noqa: N802
        assert labels == {"model": "nlu"}
        return self.metrics.setdefault(self._name, Metric())


@pytest.fixture
def metrics(monkeypatch):
    MetricFamily.metrics = {}
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", SimpleNamespace(MetricFamily=MetricFamily))
    yield importlib.import_module("router.metrics").RouterMetrics("nlu")
    sys.modules.pop("router.metrics")


def _value(name):
    return MetricFamily.metrics[name].value


def test_batches_in_flight_never_increment_one_metric_at_the_same_time(metrics):
    with ThreadPoolExecutor(4) as threads:
        told = [threads.submit(metrics.count_tokens, 10, 3) for _ in range(20)]
        told += [threads.submit(metrics.tell_cache, total, 2 * total) for total in range(1, 21)]
    for one in told:
        one.result()

    assert (_value("espalier_tokens_total"), _value("espalier_padding_tokens_total")) == (200, 60)
    assert (_value("espalier_result_cache_hits_total"), _value("espalier_result_cache_misses_total")) == (20, 40)


def test_a_total_that_was_read_earlier_and_comes_later_takes_nothing_back(metrics):
    metrics.tell_cache(5, 2)
    metrics.tell_cache(3, 1)
    metrics.tell_cache(6, 2)

    assert _value("espalier_result_cache_hits_total") == 6
    assert _value("espalier_result_cache_misses_total") == 2
