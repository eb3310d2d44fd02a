"""The HTTP transports against a small HTTP server that says what Triton says."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from clients import AsyncClient, Client, RequestRejected, ServerFailed, ServerUnavailable
from clients.errors import DeadlinePassed

_ROW = '{"tasks": {"intent": {"label": "ü", "score": 0.5}}}'


class _Triton(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: list[dict[str, Any]]
    connections: list[Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        self.connections.append(self.client_address)
        if self.path == "/v2/models/nlu/infer":
            texts = body["inputs"][0]["data"]
            if texts[0] == "nothing":
                self._answer(200, b"{}")
            elif texts[0] == "null":
                self._answer(200, b'{"outputs": [{"name": "result", "data": null}]}')
            elif texts[0] == "bad":
                self._answer(400, b'{"error": "this is bad"}')
            elif texts[0].isdecimal():
                self._answer(int(texts[0]), b"<html>")
            elif texts[0] == "full":
                self._answer(429, b'{"error": "slow down"}')
            elif texts[0].startswith("says "):
                self._answer(int(texts[0][5:]), b'{"error": "this is so"}')
            elif texts[0] == "deep":
                self._answer(200, b"[" * 100_000)
            elif texts[0] == "deep error":
                self._answer(500, b"[" * 100_000)
            else:
                rows = {"outputs": [{"name": "result", "data": [_ROW] * len(texts)}]}
                self._answer(200, json.dumps(rows).encode())
                self.close_connection = texts[0] == "hang up"
        elif body["text"] == "bad":
            self._answer(400, b'data: {"error":"this is bad"}\n\n')
        else:
            last = json.dumps({"error": "broke"} if body["text"] == "breaks" else {"result": _ROW})
            self._answer(200, f"data: {json.dumps({'result': _ROW})}\n\ndata: {last}\n\n".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "http://elsewhere:8000/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    _Triton.bodies, _Triton.connections = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Triton)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_batch_is_sent_as_kserve_json_and_read_back(url: str) -> None:
    with Client(url) as client:
        answers = client.predict_batch(["a", "b"], [None, "p"], ["intent"], all_scores=True)
    assert [row["intent"].label for row in answers] == ["ü", "ü"]
    assert _Triton.bodies[0]["inputs"] == [
        {"name": "text", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]},
        {"name": "pair", "datatype": "BYTES", "shape": [2, 1], "data": ["", "p"]},
        {"name": "tasks", "datatype": "BYTES", "shape": [2, 1], "data": ["intent", "intent"]},
        {"name": "all_scores", "datatype": "BOOL", "shape": [2, 1], "data": [True, True]},
    ]


def test_requests_share_a_connection_and_outlive_one_that_the_server_closed(url: str) -> None:
    with Client(url) as client:
        client.predict("a")
        client.predict("hang up")
        client.predict("a")
    first, second, third = _Triton.connections
    assert first == second
    assert second != third


def test_a_stream_yields_each_event(url: str) -> None:
    with Client(url) as client:
        assert [task for task, _ in client.stream("a", "p", ["intent"])] == ["intent", "intent"]
    (body,) = _Triton.bodies
    assert body.pop("id")
    assert body == {"text": "a", "pair": "p", "tasks": "intent"}


def test_a_refusal_is_the_servers_sentence_alone(url: str) -> None:
    with Client(url) as client:
        with pytest.raises(RequestRejected, match=r"^this is bad$"):
            client.predict("bad")
        with pytest.raises(RequestRejected, match=r"^this is bad$"):
            list(client.stream("bad"))


def test_what_is_no_router_is_a_failure_of_the_server(url: str) -> None:
    with Client(url) as client, pytest.raises(ServerFailed, match="no output named result"):
        client.predict("nothing")


def _errors(url: str, text: str) -> list[Exception]:
    """The errors of both clients for this text."""
    errors: list[Exception] = []

    async def ask() -> None:
        async with AsyncClient(url) as client:
            await client.predict(text)

    for attempt in (lambda: Client(url).predict(text), lambda: asyncio.run(ask())):
        with pytest.raises((RequestRejected, ServerFailed, ServerUnavailable)) as caught:
            attempt()
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize("text", ["429", "502", "503", "504", "full"])
def test_what_stands_before_the_server_and_is_too_busy_means_unavailable(url: str, text: str) -> None:
    for error in _errors(url, text):
        assert isinstance(error, ServerUnavailable)
        assert f"cannot answer now (HTTP status {'429' if text == 'full' else text})" in str(error)


@pytest.mark.parametrize(("status", "kind"), [("408", DeadlinePassed), ("501", RequestRejected)])
def test_a_status_means_the_same_as_over_grpc(url: str, status: str, kind: type[Exception]) -> None:
    assert [type(error) for error in _errors(url, f"says {status}")] == [kind, kind]


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_no_client_follows_a_redirect_and_both_name_where_it_leads(url: str, status: str) -> None:
    for error in _errors(url, status):
        assert isinstance(error, ServerUnavailable)
        assert "redirects to http://elsewhere:8000/: give the address that it redirects to" in str(error)
    assert len(_Triton.bodies) == 2


@pytest.mark.parametrize("text", ["deep", "deep error", "null", "404", "500"])
def test_an_answer_that_cannot_be_read_is_a_failure_of_the_server(url: str, text: str) -> None:
    for error in _errors(url, text):
        assert type(error) is ServerFailed


def test_an_error_after_the_first_answer_comes_after_that_answer(url: str) -> None:
    with Client(url) as client:
        stream = client.stream("breaks")
        assert next(stream)[0] == "intent"
        with pytest.raises(ServerFailed, match="broke"):
            next(stream)


def test_asyncio_gives_the_same_answers_and_errors(url: str) -> None:
    async def ask() -> None:
        async with AsyncClient(url) as client:
            assert [row["intent"].label for row in await client.predict_batch(["a", "b"])] == ["ü", "ü"]
            assert [task async for task, _ in client.stream("a")] == ["intent", "intent"]
            with pytest.raises(RequestRejected, match=r"^this is bad$"):
                await client.predict("bad")
            with pytest.raises(RequestRejected, match=r"^this is bad$"):
                [task async for task, _ in client.stream("bad")]
            with pytest.raises(ServerFailed, match="broke"):
                [task async for task, _ in client.stream("breaks")]

    asyncio.run(ask())
    assert len(_Triton.bodies) == 5


def test_nobody_listening_is_unavailable_with_the_systems_reason() -> None:
    async def ask() -> None:
        async with AsyncClient("http://127.0.0.1:1") as client:
            await client.predict("a")

    for attempt in (lambda: Client("http://127.0.0.1:1").predict("a"), lambda: asyncio.run(ask())):
        with pytest.raises(ServerUnavailable, match=r"http://127.0.0.1:1 cannot be reached \(Connection refused\)"):
            attempt()
