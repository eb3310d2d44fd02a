"""GET /tasks, against a server that answers by the path before it."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from clients import RequestRejected, ServerFailed, ServerUnavailable
from clients.credentials import Credentials
from clients.served_tasks import served_tasks

_VERSIONS = b'{"3": {"trunk": "t", "tap": 2, "layers": 1}}'
_TASK = b'{"intent": {"kind": "classification", "live": 3, "new": 1, "versions": ' + _VERSIONS + b"}}"
_ANSWERS = {
    "/tasks": (200, _TASK),
    "/triton/tasks": (400, b""),
    "/closed/tasks": (401, b'{"error": "a key is missing."}'),
    "/broken/tasks": (200, b'{"intent": 5}'),
    "/later/tasks": (503, b'{"error": "the server is not ready yet"}'),
}


class _Gate(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = _ANSWERS[self.path]
        if self.headers.get("Authorization") not in (None, "Bearer right"):
            status, body = 403, b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gate)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_tasks_are_read_and_the_key_is_shown(url: str) -> None:
    tasks = served_tasks(url, Credentials(key="right"))

    assert tasks["intent"].live == 3
    assert tasks["intent"].canary is None
    assert (tasks["intent"].versions[3].tap, tasks["intent"].versions[3].layers) == (2, 1)


def test_a_server_without_such_a_page_says_nothing(url: str) -> None:
    assert served_tasks(f"{url}/triton", Credentials()) == {}


@pytest.mark.parametrize(
    ("path", "error", "sentence"),
    [
        ("closed", RequestRejected, r"a key is missing\..*ESPALIER_KEY"),
        ("broken", ServerFailed, "not the list of tasks"),
        ("later", ServerUnavailable, "not ready"),
    ],
)
def test_each_refusal_has_its_class(url: str, path: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        served_tasks(f"{url}/{path}", Credentials())


def test_an_address_for_grpc_or_of_nobody_is_one_clear_error() -> None:
    with pytest.raises(RequestRejected, match="for gRPC: give the one for HTTP"):
        served_tasks("localhost:8001", Credentials())
    with pytest.raises(ServerUnavailable, match="cannot be reached"):
        served_tasks("http://127.0.0.1:9", Credentials())
