import pytest

from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.observing import observing
from build_tools.serving.gate.refusal import Code
from build_tools.serving.gate.settings import GateSettings

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from build_tools.serving.gate import tracing
from build_tools.serving.gate.tracing import Traces

CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch):
    """The spans that would be sent."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda: exporter)
    monkeypatch.setattr(tracing, "BatchSpanProcessor", SimpleSpanProcessor)
    return exporter


def test_the_gate_s_span_stands_between_the_caller_s_and_the_router_s(spans):
    traces = Traces()
    exchange = Exchange("grpc", "ModelInfer", "abc", CALLERS)

    traces.began(exchange)
    traces.ended(exchange)

    (span,) = spans.get_finished_spans()
    _, trace_id, span_id, _ = exchange.traceparent.split("-")
    assert trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert f"{span.context.span_id:016x}" == span_id
    assert (span.name, span.attributes["espalier.request_id"]) == ("gate ModelInfer", "abc")


def test_a_request_without_a_trace_begins_one(spans):
    traces = Traces()
    exchange = Exchange("http", "infer", "abc")

    traces.began(exchange)
    traces.ended(exchange)

    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert exchange.traceparent.startswith(f"00-{span.context.trace_id:032x}")


@pytest.mark.parametrize("sent", ["nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-" + CALLERS[3:]])
def test_a_damaged_context_counts_as_none(spans, sent):
    traces = Traces()
    exchange = Exchange("grpc", "ModelInfer", "abc", sent)

    traces.began(exchange)
    traces.ended(exchange)

    assert spans.get_finished_spans()[0].parent is None


def test_a_refusal_is_the_span_s_error(spans):
    traces = Traces()
    exchange = Exchange("grpc", "ModelInfer", "abc", code=Code.UNAVAILABLE.label, sentence="ask again")

    traces.began(exchange)
    traces.ended(exchange)

    status = spans.get_finished_spans()[0].status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "ask again")


def test_what_runs_no_model_has_no_span(spans):
    traces = Traces()
    exchange = Exchange("grpc", "ServerReady", "abc", CALLERS)

    traces.began(exchange)
    traces.ended(exchange)

    assert (spans.get_finished_spans(), exchange.traceparent) == ((), CALLERS)


@pytest.mark.parametrize(
    ("variables", "kinds"),
    [
        ({}, ["AccessLog"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ["Traces", "AccessLog"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, ["Traces", "AccessLog"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, ["AccessLog"]),
    ],
)
def test_opentelemetry_s_variables_decide_whether_there_are_traces(tmp_path, monkeypatch, variables, kinds):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = GateSettings(
        address="127.0.0.1",
        grpc_port=1,
        http_port=2,
        workers=1,
        triton="127.0.0.1:3",
        triton_key="k",
        repository=tmp_path,
        state=tmp_path / "state",
        access_log=str(tmp_path / "log"),
    )
    with observing(settings) as observers:
        assert [type(observer).__name__ for observer in observers] == kinds
