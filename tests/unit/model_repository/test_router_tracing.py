import sys
import time

import pytest
from otlp_receiver import receiving
from router.row import Row
from router.tracing import Tracing


class Caller:
    def __init__(self, number, sampled=True):
        self.id = f"request {number}"
        self.traceparent = f"00-{number:032x}-{number:016x}-01"
        self.is_traced = sampled


def _rows(*callers):
    return [Row("a", None, ("intent",), False, caller) for caller in callers]


def test_without_an_address_for_traces_nothing_is_noted(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    tracing = Tracing("nlu")
    trace = tracing.batch(_rows(Caller(1)))

    with trace.step("tokenize", [0]):
        pass

    assert trace.steps == []
    tracing.close()


@pytest.fixture
def collector(monkeypatch):
    pytest.importorskip("opentelemetry.sdk")
    with receiving() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
        yield collector


def test_each_traced_request_of_a_batch_sees_the_steps_that_were_made_for_its_texts(collector):
    rows = _rows(Caller(1), Caller(2), Caller(3, sampled=False))
    tracing = Tracing("nlu")
    trace = tracing.batch(rows)
    with trace.step("tokenize", range(3)):
        time.sleep(0.01)
    with trace.step("branch intent", {0: 0, 2: 1}, tokens=8):
        pass
    with pytest.raises(RuntimeError), trace.step("branch slots", [1]):
        raise RuntimeError("it is broken")
    tracing.take(trace, rows)
    tracing.close()

    spans = collector.spans
    roots = {span.trace: span for span in spans if span.name == "router nlu"}
    assert {int(root.trace, 16): int(root.parent, 16) for root in roots.values()} == {1: 1, 2: 2}
    children = {
        number: sorted(span.name for span in spans if span.parent == roots[f"{number:032x}"].id) for number in (1, 2)
    }
    assert children == {1: ["branch intent", "tokenize"], 2: ["branch slots", "tokenize"]}
    assert [span.name for span in spans if span.error] == ["branch slots"]
    assert {span.service for span in spans} == {"espalier-router"}
    assert all(root.begun <= span.begun <= span.ended <= root.ended for span in spans for root in [roots[span.trace]])
    (tokenized,) = {span.ended - span.begun for span in spans if span.name == "tokenize"}
    assert tokenized >= 10_000_000


def test_a_batch_of_which_nobody_is_traced_is_not(collector):
    tracing = Tracing("nlu")
    trace = tracing.batch(_rows(Caller(1, sampled=False)))
    with trace.step("tokenize", [0]):
        pass
    tracing.take(trace, _rows(Caller(1, sampled=False)))
    tracing.close()

    assert collector.spans == []


def test_where_opentelemetry_is_missing_the_router_works(collector, monkeypatch, caplog):  # noqa: ARG001
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    tracing = Tracing("nlu")

    assert "OpenTelemetry is missing" in caplog.text
    tracing.close()
