import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from router import tracing as tracing_module
from router.tracing import in_traces, tracing_from_environment

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Request:
    def __init__(self, **parameters):
        self._parameters = parameters

    def parameters(self):
        return json.dumps(self._parameters) if self._parameters else ""

    def request_id(self):
        return "abc"


@pytest.fixture
def spans(monkeypatch):
    """The spans that would be sent."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing_module, "_IS_ON", True)
    monkeypatch.setattr("opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter", lambda: exporter)
    monkeypatch.setattr("opentelemetry.sdk.trace.export.BatchSpanProcessor", SimpleSpanProcessor)
    return exporter


@pytest.fixture
def tracing(spans):  # noqa: ARG001
    return tracing_from_environment()


def test_a_request_s_span_is_the_child_of_the_gate_s(tracing, spans):
    span = tracing.begin(Request(traceparent=SAMPLED))
    span.end()
    span.end()  # a stream's last answer, and then the batch

    (sent,) = spans.get_finished_spans()
    assert (f"{sent.context.trace_id:032x}", f"{sent.parent.span_id:016x}") == (TRACE, PARENT)
    assert sent.attributes["espalier.request_id"] == "abc"


@pytest.mark.parametrize("parameters", [{}, {"traceparent": UNSAMPLED}, {"traceparent": 5}, {"timeout": 7}])
def test_a_request_whose_trace_nobody_records_has_no_span(tracing, spans, parameters):
    assert tracing.begin(Request(**parameters)) is None
    assert spans.get_finished_spans() == ()


def test_a_call_for_several_requests_is_in_the_trace_of_each(tracing, spans):
    other = SAMPLED.replace(TRACE, TRACE[::-1])
    first, second = tracing.begin(Request(traceparent=SAMPLED)), tracing.begin(Request(traceparent=other))

    with in_traces([first, None, second, first], "branch intent 1"):
        pass

    sent = spans.get_finished_spans()
    assert [span.name for span in sent] == ["branch intent 1"] * 2
    assert {f"{span.context.trace_id:032x}" for span in sent} == {TRACE, TRACE[::-1]}
    assert all(span.start_time <= span.end_time for span in sent)


def test_a_call_that_fails_is_an_error_in_the_trace_and_raises_on(tracing, spans):
    span = tracing.begin(Request(traceparent=SAMPLED))

    with pytest.raises(RuntimeError, match="broken"), in_traces([span], "trunk to layer 2"):
        raise RuntimeError("broken")

    status = spans.get_finished_spans()[0].status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "broken")


def test_without_a_collector_opentelemetry_is_not_imported():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(tracing_module.__file__).parents[1])!r});"
        "from router.tracing import tracing_from_environment;"
        "sys.exit(tracing_from_environment() is not None or 'opentelemetry' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], env={}, check=True)
