"""The public /metrics: Triton's own numbers, those of gates and routers, and the supervisor's."""

import http.client
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from build_tools.serving.state import ServerState

_SECONDS = 2.0


class SupervisorCollector(Collector):
    """The supervisor's metrics, read from the server's state."""

    def __init__(self, state: Callable[[], ServerState]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yields the families."""
        state = self._state()
        up = GaugeMetricFamily("espalier_model_up", "1 if all processes of the model answer, else 0", labels=["model"])
        restarts = CounterMetricFamily(
            "espalier_restarts", "How often the model, or a gate process, was brought back", labels=["model"]
        )
        for name, model in state.models.items():
            up.add_metric([name], model.ready)
            restarts.add_metric([name], model.restarts)
        tasks = GaugeMetricFamily(
            "espalier_task_ready", "1 if the task's live version answers, else 0", labels=["task"]
        )
        for name, ready in state.tasks.items():
            tasks.add_metric([name], ready)
        yield from (up, restarts, tasks)
        yield CounterMetricFamily(
            "espalier_server_restarts", "How often tritonserver was started again", value=state.server_restarts
        )
        yield GaugeMetricFamily(
            "espalier_ready", "1 if gate, router and trunk answer and a registry is adopted, else 0", value=state.ready
        )


class MetricsEndpoint:
    """Serves /metrics until `close`, in threads of its own.

    triton: host:port of Triton's own metrics, None if they cannot be reached. folder: of prometheus_client's
    multiprocess mode. collectors: of this process.
    """

    def __init__(
        self, address: str, port: int, triton: str | None, folder: Path, collectors: Sequence[Collector]
    ) -> None:
        """Raises OSError if the port cannot be listened on."""

        def page() -> bytes:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(folder))
            for collector in collectors:
                registry.register(collector)
            return (_tritons(triton) if triton else b"") + generate_latest(registry)

        class Handler(BaseHTTPRequestHandler):
            timeout = 10.0  # for a client that sends no request

            def do_GET(self) -> None:
                content = page() if self.path.partition("?")[0] == "/metrics" else None
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Type", CONTENT_TYPE_LATEST)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                """A scrape every few seconds is no event."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


def _tritons(address: str) -> bytes:
    """Triton's page; nothing while Triton does not answer."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=_SECONDS)  # it ignores proxies
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.read() if answer.status == http.client.OK else b""
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()
