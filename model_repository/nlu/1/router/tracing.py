"""The router's part of traces: spans of requests, sent to an OpenTelemetry collector if the environment names one.

A batch works for requests of several callers. Each of their traces gets a span of its own for each call, so that one
trace shows all that its request waited for.
"""

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

_COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_IS_OFF = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
_IS_ON = not _IS_OFF and any(os.environ.get(name) for name in _COLLECTOR)
_SERVICE = "espalier-router"
_NOTHING: AbstractContextManager[None] = nullcontext()


class RequestSpan:
    """The span of one request. Safe to share between threads."""

    def __init__(self, span: Any, tracer: Any, context: Any) -> None:
        self._span = span
        self._tracer = tracer
        self._context = context

    def add(self, name: str, begun: int, error: Exception | None) -> None:
        """Adds a call that was made for the request and ends now. begun: nanoseconds since 1970."""
        child = self._tracer.start_span(name, self._context, start_time=begun)
        if error is not None:
            child.set_status(_failed(error))
        child.end()

    def end(self) -> None:
        """Ends it, if that has not been done."""
        if self._span.is_recording():
            self._span.end()


class Tracing:
    """Makes the spans of one router process."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name = os.environ.get("OTEL_SERVICE_NAME", _SERVICE)
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("espalier.router")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, request: Any) -> RequestSpan | None:
        """Returns the span of a request that begins now; None if its trace is not recorded.

        The gate sends the trace as the parameter `traceparent`. Whether it is recorded was decided where it began.
        """
        from opentelemetry.trace import set_span_in_context

        traceparent = json.loads(request.parameters() or "{}").get("traceparent")
        if not isinstance(traceparent, str):
            return None
        parent = self._propagator.extract({"traceparent": traceparent})
        span = self._tracer.start_span("router", parent, attributes={"espalier.request_id": request.request_id()})
        return RequestSpan(span, self._tracer, set_span_in_context(span)) if span.is_recording() else None

    def close(self) -> None:
        """Sends what waits, for some seconds at most."""
        self._provider.shutdown()


def tracing_from_environment() -> Tracing | None:
    """Returns None if OpenTelemetry's variables name no collector: then it is not imported, and nothing is traced."""
    if not _IS_ON:
        return None
    try:
        return Tracing()
    except ImportError:  # as in a bare container of NVIDIA's
        logging.getLogger(__name__).warning("OpenTelemetry is not installed: the router makes no spans")
        return None


def in_traces(spans: Iterable[RequestSpan | None], name: str) -> AbstractContextManager[None]:
    """Returns the context of a call that is made for the requests of these spans.

    Without a collector the spans are not looked at: a batch has many rows.
    """
    if not _IS_ON:
        return _NOTHING
    wanted = {span for span in spans if span is not None}
    return _added(wanted, name) if wanted else _NOTHING


@contextmanager
def _added(spans: set[RequestSpan], name: str) -> Iterator[None]:
    begun, failure = time.time_ns(), None
    try:
        yield
    except Exception as error:
        failure = error
        raise
    finally:
        for span in spans:
            span.add(name, begun, failure)


def _failed(error: Exception) -> Any:
    from opentelemetry.trace import Status, StatusCode

    return Status(StatusCode.ERROR, str(error))
