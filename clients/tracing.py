"""The client's part of a trace: a span for each request, in applications that trace with OpenTelemetry."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from clients.request import Request

_TRACER = "espalier.client"


@contextmanager
def traced(operation: str, request: Request) -> Iterator[Request]:
    """Yields the request as it should be sent: with the headers of the W3C trace context, if there is a trace.

    An application that traces has imported OpenTelemetry, by itself or through `opentelemetry-instrument`. In others
    this costs nothing: it is not imported here. The span is not made the current one, because a stream's generator may
    be left in another context than it was begun in.
    """
    if "opentelemetry.trace" not in sys.modules:
        yield request
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    attributes: dict[str, str | int] = {"espalier.request_id": request.id, "espalier.texts": len(request)}
    if request.tasks is not None:
        attributes["espalier.tasks"] = ",".join(request.tasks)
    span = trace.get_tracer(_TRACER).start_span(operation, kind=trace.SpanKind.CLIENT, attributes=attributes)
    headers: dict[str, str] = {}
    # Not the application's own propagators: they may add baggage, which is none of the server's business.
    TraceContextTextMapPropagator().inject(headers, trace.set_span_in_context(span))
    try:
        yield replace(request, headers=request.headers | headers)
    except Exception as error:
        span.record_exception(error)
        span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
        raise
    finally:
        span.end()
