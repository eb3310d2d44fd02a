import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from build_tools.errors import BuildError
from build_tools.publishing.metrics_page import read_metrics

METRICS = """\
# HELP espalier_candidate_answers_total Number of texts that a canary or shadow has answered
# TYPE espalier_candidate_answers_total counter
espalier_candidate_answers_total{model="nlu",task="intent",version="4"} 120.000000
espalier_candidate_answers_total{model="nlu_stream",task="intent",version="4"} 30.000000
espalier_candidate_answers_total{task="mood",model="nlu",version="2"} 1.5e+06
espalier_candidate_answers_total{model="nlu",task="intent",version="5"} 7
espalier_candidate_errors_total{model="nlu",task="intent",version="4"} 2.000000
espalier_shadow_compared_total{model="nlu",task="intent",version="5"} 6.000000
espalier_shadow_differing_total{model="nlu",task="intent",version="5"} 3.000000
espalier_tokens_total{model="nlu"} 99.000000
espalier_outputs_computed_total{model="trunk",version="1",output="hidden_2"} 11.000000
nv_inference_count{model="branch_intent",version="4"} 1234.000000
"""


def _served(server):
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def metrics_url():
    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(METRICS.encode() if self.path == "/metrics" else b"")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Metrics) as server:
        yield _served(server)
        server.shutdown()


@pytest.fixture
def other_url():
    """Something that speaks no HTTP/1, such as Triton's gRPC port."""

    class Other(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            self.request.sendall(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Other) as server:
        yield _served(server)
        server.shutdown()


def test_samples_are_added_up_by_the_labels_that_are_asked_for(metrics_url):
    page = read_metrics(metrics_url)

    assert page.sums("espalier_candidate_answers_total", "task", "version") == {
        ("intent", "4"): 150.0,
        ("mood", "2"): 1_500_000.0,
        ("intent", "5"): 7.0,
    }
    assert page.sums("espalier_tokens_total", "task") == {}
    assert page.total(["espalier_tokens_total", "espalier_candidate_errors_total"]) == 101.0


@pytest.fixture
def page_url():
    """An HTTP server whose /metrics is a web page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>\n<body>Hello</body>\n</html>\n")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        yield _served(server)
        server.shutdown()


def test_a_page_that_is_no_metrics_text_is_told(page_url):
    with pytest.raises(BuildError, match="no metrics are served at"):
        read_metrics(page_url)


def test_a_port_where_nobody_listens_is_told_with_the_option_that_names_it():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(BuildError, match=rf"no metrics are served at {url} .* as --metrics-port"):
            read_metrics(url)


def test_a_port_that_serves_something_else_is_told(metrics_url):
    with pytest.raises(BuildError, match=r"no metrics are served at .*404"):
        read_metrics(f"{metrics_url}/elsewhere")


def test_a_port_that_speaks_no_http_is_told(other_url):
    with pytest.raises(BuildError, match="no metrics are served at"):
        read_metrics(other_url)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.0.0.2", "127.1", "0.0.0.0"])
def test_this_machines_metrics_are_never_read_through_a_proxy(metrics_url, monkeypatch, host):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    if host == "127.0.0.2":  # nobody listens there: the connection is refused, and not by the proxy
        with pytest.raises(BuildError) as raised:
            read_metrics(metrics_url.replace("127.0.0.1", host))
        assert "proxy" not in str(raised.value)
    else:
        assert read_metrics(metrics_url.replace("127.0.0.1", host))


def test_another_hosts_metrics_are_read_through_the_proxy_of_the_environment(monkeypatch):
    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(METRICS.encode())

        def log_message(self, *_):
            pass

    asked = []
    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        monkeypatch.setenv("http_proxy", f"http://{_served(server)}")
        assert read_metrics("server.test:8002")
        server.shutdown()
    assert asked == ["http://server.test:8002/metrics"]


def test_a_dead_proxy_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:1")

    with pytest.raises(BuildError, match=r"at server\.test:8002 \(through the proxy http://127\.0\.0\.1:1\)") as raised:
        read_metrics("server.test:8002")

    assert "secret" not in str(raised.value)


def test_a_host_in_no_proxy_is_asked_directly(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", ".test")

    with pytest.raises(BuildError) as raised:
        read_metrics("server.test:8002")

    assert "proxy" not in str(raised.value)
