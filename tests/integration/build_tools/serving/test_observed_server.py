"""A whole server under a short load, as those see it who watch it: Prometheus, a trace collector, the access log."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml
from untrained import save_untrained, tiny_encoder

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from otlp_receiver import OtlpReceiver, ReceivedSpan, receiving
from rich.console import Console

from build_tools.build.builder import build
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.status_watch import watch_status
from build_tools.serving.gate.key_file import ClientKey, KeyFile, new_key, sha256_of, write_key_file
from build_tools.serving.supervisor import Settings, Supervisor
from build_tools.serving.triton.ports import choose_ports
from clients import Client
from clients.errors import RequestRejected
from training.kinds import Kind

ROOT = Path(__file__).resolve().parents[4]
OBSERVABILITY = ROOT / "deploy" / "observability"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Watched:
    """A server that is asked all the time, and what receives its spans and its access log. key: of its one client."""

    server: Supervisor
    key: str
    receiver: OtlpReceiver
    log: Path

    def lines(self, **wanted: object) -> list[dict[str, Any]]:
        """The lines of the access log that have these fields."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if wanted.items() <= line.items()]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, of which one has a shadow."""
    folder = tmp_path_factory.mktemp("watched")
    encoder = tiny_encoder(folder / "encoder")
    slots = save_untrained(folder / "slots", encoder, "slots", kind=Kind.TAGGING, labels=("O", "B-x", "I-x"), tap=1)
    build([save_untrained(folder / "intent", encoder, "intent"), slots], folder / "repository", router_instances=1)
    other = save_untrained(folder / "other", encoder, "intent", seed=5)
    publish(other, folder / "repository", NoServer(), shadow=True, redefine=True)
    return folder / "repository"


@pytest.fixture(scope="module")
def watched(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    log = tmp_path_factory.mktemp("logs") / "access.jsonl"
    key, keys = new_key(), log.with_name("keys.json")
    write_key_file(keys, KeyFile(keys=(ClientKey(name="tests", sha256=sha256_of(key)),)))
    settings = Settings(repository, access_log=str(log), keys=keys)
    ends = threading.Event()
    with receiving() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # milliseconds
        with Supervisor(settings, print) as server:
            asking = threading.Thread(target=_ask_on, args=(server, key, ends))
            asking.start()
            yield Watched(server, key, receiver, log)
            ends.set()
            asking.join()


def _ask_on(server: Supervisor, key: str, ends: threading.Event) -> None:
    with Client(server.grpc_url, key=key) as grpc, Client(f"http://{server.http_url}", key=key) as http:
        while not ends.wait(0.05):
            for client in (grpc, http):
                client.predict_batch(["a b", "c"])
                list(client.stream("d e"))


def _wait_for(is_so: Callable[[], object], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


# Prometheus -----------------------------------------------------------------------------------------------------------

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed: it is in Debian's package of that name"
)


@pytest.fixture(scope="module")
def ask_prometheus(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[Any]]]:
    """Asks a Prometheus that has our configuration and scrapes the server every two seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    for file in (OBSERVABILITY / "prometheus").glob("*.yml"):
        shutil.copy(file, folder)
    configuration = folder / "prometheus.yml"
    configuration.write_text(re.sub(r"_interval: 15s", "_interval: 2s", configuration.read_text()))
    (folder / "targets.yml").write_text(yaml.safe_dump([{"targets": [watched.server.metrics_url]}]))
    address = f"127.0.0.1:{choose_ports('127.0.0.1', {'web': None})['web']}"
    command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)

    def ask(query: str) -> list[Any]:
        with urlopen(f"http://{address}/api/v1/query?query={quote(query)}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    try:
        _wait_for(lambda: _answers(f"http://{address}/-/ready"))
        # Some scrapes, so that rates and the signals made of them are there.
        _wait_for(lambda: ask('count_over_time(up{job="espalier"}[1m]) > 4'), 120)
        yield ask
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def _dashboard_queries() -> Iterator[tuple[str, str]]:
    dashboard = json.loads((OBSERVABILITY / "grafana" / "dashboards" / "espalier.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            query = re.sub(r"\$(instance|task)", ".*", target["expr"])
            yield panel["title"], query.replace("$__rate_interval", "30s")


def _without_data(ask_prometheus: Callable[[str], list[Any]], queries: Iterable[tuple[str, str]]) -> list[str]:
    """The names of the queries that find nothing, even if they are asked for a minute."""
    deadline = time.monotonic() + 60
    while left := [(name, query) for name, query in queries if not ask_prometheus(query)]:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    return [name for name, _ in left]


def _rules(file: str) -> list[dict[str, str]]:
    groups = yaml.safe_load((OBSERVABILITY / "prometheus" / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@needs_prometheus
def test_every_query_of_the_dashboard_and_every_signal_has_data(ask_prometheus: Callable[[str], list[Any]]) -> None:
    queries = [*_dashboard_queries(), *((rule["record"], rule["record"]) for rule in _rules("signals.yml"))]

    assert _without_data(ask_prometheus, queries) == []


@needs_prometheus
def test_every_alert_looks_at_something_that_the_server_counts(ask_prometheus: Callable[[str], list[Any]]) -> None:
    """Without its threshold, each has data: a misspelt metric would never raise it.

    Only the certificate's is not there: this server has none.
    """
    thresholds = re.compile(r" (==|>|<) (?!on|0 or)[\w. *]+$| > on \(\).*$")
    without = {rule["alert"]: thresholds.sub("", rule["expr"]) for rule in _rules("alerts.yml")}

    assert all(query != rule["expr"] for query, rule in zip(without.values(), _rules("alerts.yml"), strict=True))
    certificate = without.pop("EspalierCertificateExpires")
    assert _without_data(ask_prometheus, without.items()) == []
    assert not ask_prometheus(certificate)


@needs_prometheus
def test_a_server_that_is_well_raises_no_alert(ask_prometheus: Callable[[str], list[Any]]) -> None:
    firing = {one["metric"]["alertname"] for one in ask_prometheus('ALERTS{alertstate="firing"}')}

    # Two untrained versions agree on nothing, and the check of this alert looks at the ratio alone.
    assert firing <= {"EspalierShadowDiffers"}


# Traces ---------------------------------------------------------------------------------------------------------------

ASK_TRACED = """
import sys
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from clients import Client
provider = TracerProvider(resource=Resource.create({"service.name": "application"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
url, key, way = sys.argv[1:]
with Client(url, key=key) as client, trace.get_tracer("application").start_as_current_span("nightly") as span:
    client.predict("one two") if way == "predict" else list(client.stream("one two"))
print(f"{span.get_span_context().trace_id:032x}")
"""


@pytest.mark.parametrize("way", ["predict", "stream"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_one_request_is_one_trace_from_the_client_through_gate_and_router_to_the_branches(
    watched: Watched, protocol: str, way: str
) -> None:
    url = watched.server.grpc_url if protocol == "grpc" else f"http://{watched.server.http_url}"
    environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": watched.receiver.url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ASK_TRACED, url, watched.key, way]
    trace = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    def its(spans: list[ReceivedSpan]) -> dict[str, ReceivedSpan]:
        return {span.id: span for span in spans if span.trace == trace}

    model = "nlu" if way == "predict" else "nlu_stream"
    # Spans are sent when they have ended: each process sends its own, those of a router together.
    whole = {"nightly", "tokenize", "gate", f"router {model}"}
    watched.receiver.wait_for(
        lambda spans: whole <= {re.sub("^gate .*", "gate", one.name) for one in its(spans).values()}
    )
    spans = its(watched.receiver.spans)
    names = {span.name: span for span in spans.values()}
    (gate,) = (name for name in names if name.startswith("gate "))
    chain = ["nightly", way, gate, f"router {model}"]
    assert [names[name].parent for name in chain] == ["", *(names[name].id for name in chain[:-1])]
    assert [names[name].service for name in chain] == ["application"] * 2 + ["espalier-gate", "espalier-router"]
    below = {span.name for span in spans.values() if span.parent == names[f"router {model}"].id}
    assert below == {"tokenize", "trunk to 1", "trunk to 2", "branch intent", "branch slots"}
    assert all(spans[span.parent].begun <= span.begun <= span.ended for span in spans.values() if span.parent)
    assert not any(span.error for span in spans.values())


def test_another_program_s_trace_is_taken_up_and_named_in_the_access_log(watched: Watched) -> None:
    done = subprocess.run(
        [
            *("curl", "--silent", "--fail", "--header", f"traceparent: {PARENT}", "--header", "x-request-id: mine-1"),
            *("--header", f"authorization: Bearer {watched.key}"),
            *("--data", '{"text": "a b"}', f"http://{watched.server.http_url}/v2/models/nlu/generate"),
        ],
        capture_output=True,
        check=True,
    )
    assert b"intent" in done.stdout

    (line,) = _wait_for(lambda: watched.lines(request="mine-1"))
    assert line["trace"] == PARENT[3:35]

    def of_the_gate(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
        return [one for one in spans if one.trace == PARENT[3:35] and one.service == "espalier-gate"]

    (gate,) = of_the_gate(watched.receiver.wait_for(lambda spans: bool(of_the_gate(spans))))
    assert (gate.parent, gate.attributes["espalier.request_id"]) == (PARENT[36:52], "mine-1")


# Access log -----------------------------------------------------------------------------------------------------------


def test_each_way_in_is_logged_without_texts(watched: Watched) -> None:
    http_url = f"http://{watched.server.http_url}"
    with Client(watched.server.grpc_url, key=watched.key) as grpc, Client(http_url, key=watched.key) as http:
        for client in (grpc, http):
            client.predict_batch(["geheim", "geheim"], tasks=["slots"])
            list(client.stream("geheim", tasks=["slots"]))

    def found() -> dict[tuple[str, str, str], list[dict[str, Any]]] | None:
        ways = [("grpc", "ModelInfer", "nlu"), ("stream", "ModelStreamInfer", "nlu_stream")]
        ways += [("http", "infer", "nlu"), ("http", "generate_stream", "nlu_stream")]
        lines = {
            way: watched.lines(protocol=way[0], method=way[1], model=way[2], tasks=["slots"], code="ok") for way in ways
        }
        return lines if all(lines.values()) else None

    lines = _wait_for(found)
    assert "geheim" not in watched.log.read_text()
    assert {way: line[0]["texts"] for way, line in lines.items()} == {
        ("grpc", "ModelInfer", "nlu"): 2,
        ("stream", "ModelStreamInfer", "nlu_stream"): 1,
        ("http", "infer", "nlu"): 2,
        ("http", "generate_stream", "nlu_stream"): 1,
    }
    assert all(line[0]["ms"] > 0 and line[0]["received"] > 0 and line[0]["sent"] > 0 for line in lines.values())


def test_a_refusal_is_logged_under_the_id_that_its_sentence_names(watched: Watched) -> None:
    with Client(watched.server.grpc_url, key=watched.key) as client, pytest.raises(RequestRejected) as raised:
        client.predict("a", tasks=["unknown"])

    (request,) = re.findall(r"request ([0-9a-f]+)", str(raised.value))
    (line,) = _wait_for(lambda: watched.lines(request=request))
    assert (line["caller"], line["code"], line["tasks"]) == ("tests", "invalid", ["unknown"])
    assert "unknown" in line["error"]


# status --watch -------------------------------------------------------------------------------------------------------


def test_the_watch_shows_what_the_tasks_do_now(watched: Watched, repository: Path, tmp_path: Path) -> None:
    looks = 0

    def pause(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt
        time.sleep(seconds)

    with (tmp_path / "screen").open("w") as file:
        console = Console(file=file, width=200)
        watch_status(repository, watched.server.grpc_url, watched.server.metrics_url, 1.5, console, pause)

    screen = (tmp_path / "screen").read_text()
    first, titles, row = (
        next(line for line in screen.splitlines() if part in line) for part in ("P50", "live", "intent")
    )
    cells = dict(zip(re.split(r"\s{2,}", titles.strip()), re.split(r"\s{2,}", row.strip()), strict=False))
    assert "requests/s" in first
    assert "not answering" not in first
    assert cells["task"] == "intent"
    assert "2 shadow" in row
