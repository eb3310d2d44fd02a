"""What the client sends along when its application traces with OpenTelemetry."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from clients import AsyncClient, Client, async_client, client
from clients.errors import ServerFailed
from clients.request import Request


class _Server:
    """Answers with the headers that it was sent; with fails=True it fails instead."""

    fails = False

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    def infer(self, request: Request) -> list[str]:
        self.headers.append(request.headers)
        if self.fails:
            raise ServerFailed("the trunk failed")
        return [json.dumps({"tasks": {"echo": {"label": text}}}) for text in request.texts]

    def stream(self, request: Request) -> Iterator[list[str]]:
        for text in request.texts[0].split():
            self.headers.append(request.headers)
            yield [json.dumps({"tasks": {"echo": {"label": text}}})]

    def close(self) -> None:
        pass


class _AsyncServer(_Server):
    async def infer(self, request: Request) -> list[str]:  # type: ignore[override]
        return super().infer(request)

    async def close(self) -> None:  # type: ignore[override]
        pass


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """An application that traces: what its spans were."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> _Server:
    server = _Server()
    monkeypatch.setattr(client, "open_transport", lambda *_: server)
    return server


def _parent(headers: dict[str, str]) -> tuple[int, int]:
    _, trace_id, span_id, _ = headers["traceparent"].split("-")
    return int(trace_id, 16), int(span_id, 16)


def test_a_request_is_a_span_in_the_application_s_trace_and_the_server_is_told_which(
    spans: InMemorySpanExporter, server: _Server
) -> None:
    tracer: Any = trace.get_tracer("application")
    with tracer.start_as_current_span("nightly") as nightly, Client() as asked:
        asked.predict("one", tasks=["echo"])

    span, _ = spans.get_finished_spans()
    context = nightly.get_span_context()
    assert (span.name, span.kind, span.parent) == ("predict", trace.SpanKind.CLIENT, context)
    assert _parent(server.headers[0]) == (context.trace_id, span.context.span_id)
    assert (span.attributes["espalier.texts"], span.attributes["espalier.tasks"]) == (1, "echo")


def test_a_stream_is_one_span_that_ends_with_it_also_if_it_is_left_early(
    spans: InMemorySpanExporter, server: _Server
) -> None:
    with Client() as asked:
        answers = asked.stream("a b c")
        next(answers)
        assert not spans.get_finished_spans()
        answers.close()  # type: ignore[attr-defined]

    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.status_code) == ("stream", trace.StatusCode.UNSET)
    assert _parent(server.headers[0]) == (span.context.trace_id, span.context.span_id)


def test_a_failure_is_the_span_s_error(spans: InMemorySpanExporter, server: _Server) -> None:
    server.fails = True
    with Client() as asked, pytest.raises(ServerFailed):
        asked.predict("one")

    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "the trunk failed")


def test_the_asyncio_client_traces_too(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    server = _AsyncServer()
    monkeypatch.setattr(async_client, "open_async_transport", lambda *_: server)

    async def ask() -> None:
        async with AsyncClient() as asked:
            await asyncio.gather(asked.predict("one"), asked.predict("two"))

    asyncio.run(ask())

    sent = {_parent(headers) for headers in server.headers}
    assert sent == {(span.context.trace_id, span.context.span_id) for span in spans.get_finished_spans()}
    assert len(sent) == 2


def test_without_an_application_that_traces_nothing_is_sent(server: _Server) -> None:
    with Client() as asked:
        asked.predict("one")

    assert server.headers == [{}]


def test_the_client_does_not_import_opentelemetry() -> None:
    code = "import clients, sys; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
