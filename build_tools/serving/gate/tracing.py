"""The gate's part of a trace: a span for each inference, sent to an OpenTelemetry collector.

Importing this takes a fifth of a second, which only a gate that traces should pay: see observing.py.
"""

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from build_tools.serving.gate.observers import Exchange

_SERVICE = "espalier-gate"
_INFERENCES = frozenset({"ModelInfer", "ModelStreamInfer", "infer", "generate", "generate_stream"})
_TRACEPARENT = "traceparent"


class Traces:
    """An Observer that makes spans: children of the caller's, and parents of the router's.

    They wait in a queue of bounded length and are sent by a thread: if the collector is slow or away they are lost, and
    no request waits. OpenTelemetry's variables say where to (OTEL_EXPORTER_OTLP_ENDPOINT), which share
    (OTEL_TRACES_SAMPLER) and under which name (OTEL_SERVICE_NAME).
    """

    def __init__(self) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME", _SERVICE)
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("espalier.gate")
        self._context = TraceContextTextMapPropagator()
        self._spans: dict[int, Span] = {}  # by the id() of the exchange, which lives from began to ended

    def began(self, exchange: Exchange) -> None:
        """See Observer."""
        if exchange.method not in _INFERENCES:
            return
        parent = self._context.extract({_TRACEPARENT: exchange.traceparent})
        span = self._tracer.start_span(f"gate {exchange.method}", parent, SpanKind.SERVER)
        carrier: dict[str, str] = {}
        self._context.inject(carrier, set_span_in_context(span))
        exchange.traceparent = carrier[_TRACEPARENT]
        self._spans[id(exchange)] = span

    def ended(self, exchange: Exchange) -> None:
        """See Observer."""
        span = self._spans.pop(id(exchange), None)
        if span is None:
            return
        if span.is_recording():
            _describe(span, exchange)
        span.end()

    def close(self) -> None:
        """Sends what waits, for some seconds at most."""
        self._provider.shutdown()


def _describe(span: Span, exchange: Exchange) -> None:
    call = exchange.call
    span.set_attributes(
        {
            "espalier.request_id": exchange.id,
            "espalier.protocol": exchange.protocol,
            "espalier.caller": exchange.caller.name,
            "espalier.model": call.model if call else "",
            "espalier.texts": call.texts if call else 0,
            "espalier.code": exchange.code,
        }
    )
    if exchange.code != "ok":
        span.set_status(Status(StatusCode.ERROR, exchange.sentence))
