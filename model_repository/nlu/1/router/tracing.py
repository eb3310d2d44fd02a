"""The router's part of a trace: what was done for a request, and how long it took, as OpenTelemetry spans.

Requests share batches, and so the work: each traced request of a batch gets a span of its own, a child of the gate's,
with spans of those steps that were made for its texts. Where OTEL_EXPORTER_OTLP_ENDPOINT is not set, OpenTelemetry is
not imported and nothing is noted.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from router.caller import Caller
from router.row import Row

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_CLOSE_SECONDS = 5.0
_MOST_WAITING = 100  # batches; further ones are not traced until the thread has caught up


@dataclass(frozen=True)
class Step:
    """A step of a batch. rows: those for which it was made. begun, ended: nanoseconds since 1970."""

    name: str
    rows: Collection[int]
    begun: int
    ended: int
    attributes: dict[str, int]
    error: str


class BatchTrace:
    """The steps of one batch. Safe to share between threads."""

    def __init__(self, is_traced: bool) -> None:
        self.begun = time.time_ns() if is_traced else 0
        self.steps: list[Step] = []
        self._is_traced = is_traced

    @contextmanager
    def step(self, name: str, rows: Collection[int], **attributes: int) -> Iterator[None]:
        """Notes what is done within the block. attributes: numbers that describe it."""
        if not self._is_traced:
            yield
            return
        begun, sentence = time.time_ns(), ""
        try:
            yield
        except BaseException as error:
            sentence = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.steps.append(Step(name, rows, begun, time.time_ns(), attributes, sentence))


class Tracing:
    """Makes spans of the batches of one process, in a thread of its own, and sends them."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._spans = _spans() if any(os.environ.get(name) for name in _ENDPOINTS) else None
        self._batches: queue.Queue[tuple[BatchTrace, Sequence[Row], int] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="tracing", daemon=True)
        if self._spans is not None:
            self._thread.start()

    def batch(self, rows: Sequence[Row]) -> BatchTrace:
        """Returns where the steps of a batch are noted: none if no caller of it is traced."""
        if self._spans is None:
            return BatchTrace(False)
        return BatchTrace(bool([row for row in rows if row.caller.is_traced]))  # each is asked before it is answered

    def take(self, trace: BatchTrace, rows: Sequence[Row]) -> None:
        """Sends the spans of a batch that is done."""
        if trace.steps:
            try:
                self._batches.put_nowait((trace, rows, time.time_ns()))
            except queue.Full:
                logging.getLogger(__name__).debug("a batch is not traced, because too many wait")

    def close(self) -> None:
        """Sends what waits, for some seconds at most."""
        if self._spans is not None:
            self._batches.put(None)
            self._thread.join(_CLOSE_SECONDS)
            self._spans.provider.shutdown()

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._make_spans(*batch)
            except Exception as error:  # OpenTelemetry's, whatever it is: answers matter more
                logging.getLogger(__name__).warning("a batch could not be traced: %r", error)

    def _make_spans(self, trace: BatchTrace, rows: Sequence[Row], ended: int) -> None:
        assert self._spans is not None
        of_caller: dict[Caller, list[int]] = {}
        for number, row in enumerate(rows):
            if row.caller.is_traced:
                of_caller.setdefault(row.caller, []).append(number)
        for caller, numbers in of_caller.items():
            attributes = {"espalier.request_id": caller.id, "espalier.batch_texts": len(rows)}
            begun = min(trace.begun, *(step.begun for step in trace.steps))
            root = self._spans.begin(f"router {self._model}", caller.traceparent, begun, attributes)
            for step in trace.steps:
                texts = len(set(step.rows).intersection(numbers))
                if texts:
                    named = {f"espalier.{name}": value for name, value in step.attributes.items()}
                    child = self._spans.begin(step.name, root, step.begun, named | {"espalier.texts": texts})
                    self._spans.end(child, step.ended, step.error)
            self._spans.end(root, ended)


class _Spans:
    """OpenTelemetry's tracer, with times that have passed."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name = os.environ.get("OTEL_SERVICE_NAME", "espalier-router")
        self.provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer("espalier.router")
        self._trace = trace
        self._context = TraceContextTextMapPropagator()

    def begin(self, name: str, parent: Any, begun: int, attributes: dict[str, Any]) -> Any:
        """parent: a traceparent, or a span."""
        if isinstance(parent, str):
            context = self._context.extract({"traceparent": parent})
        else:
            context = self._trace.set_span_in_context(parent)
        return self._tracer.start_span(name, context, start_time=begun, attributes=attributes)

    def end(self, span: Any, ended: int, error: str = "") -> None:
        if error:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, error))
        span.end(ended)


def _spans() -> _Spans | None:
    try:
        return _Spans()
    except ImportError as error:
        logging.getLogger(__name__).warning(
            "%s asks for traces, and OpenTelemetry is missing: %s", _ENDPOINTS[0], error
        )
        return None
