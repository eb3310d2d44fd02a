"""The real perf_analyzer against the running server."""

import contextlib
import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from served_suite import Suite

from build_tools.serving.supervisor import Supervisor
from clients.load_test.inputs import prepare_inputs
from clients.load_test.load import Concurrency, Rate
from clients.load_test.measure import measure
from clients.load_test.protocol import MODELS, Protocol

ROOT = Path(__file__).resolve().parents[2]
# A shell has programs in the background ignore Ctrl-C, and the tests themselves may run there.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import espalier; espalier.main()"
PROGRAM = [sys.executable, "-c", START, "load-test"]


@pytest.fixture(scope="module")
def texts(suite: Suite) -> list[str]:
    lines = (suite.folders["intent"] / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def test_the_verb_measures_every_protocol_with_callers_and_rates(
    suite: Suite, server: Supervisor, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *PROGRAM, str(suite.folders["coherence"] / "dev.jsonl"), "--tasks", "domain,intent,coherence",
            "--protocol", "grpc,http,stream", "--concurrency", "2", "--rate", "10", "--seconds", "4",
            "--warm-up", "0.5", "--url", server.grpc_url, "--http-url", f"http://{server.http_url}",
            "--output", str(tmp_path / "out"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "load_test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["protocol"], row["callers"], row["rate"]) for row in rows] == [
        (protocol, *load) for protocol in MODELS for load in (("2", ""), ("", "10.0"))
    ]
    for row in rows:
        assert (row["failed"], row["task_errors"], row["unanswered"]) == ("0", "0", "False"), row
        assert 0 < float(row["p50_ms"]) <= float(row["p99_ms"])
        assert float(row["texts_per_second"]) > 2
        if row["protocol"] == "stream":
            assert 0 < float(row["first_p50_ms"]) <= float(row["p50_ms"])
        assert row["protocol"] in done.stdout
    assert (tmp_path / "out" / "load_test.png").is_file()


@pytest.mark.parametrize("protocol", list(MODELS))
def test_requests_that_the_server_refuses_are_counted(
    server: Supervisor, texts: list[str], protocol: Protocol, tmp_path: Path
) -> None:
    prepare_inputs(texts, None, ["intnt"], tmp_path / "inputs.json")
    url = f"http://{server.http_url}" if protocol == "http" else server.grpc_url
    found = measure(url, MODELS[protocol], tmp_path / "inputs.json", Concurrency(3), protocol, 0.5, 0.0)
    assert (found.requests, found.latency) == (0, None)
    assert found.failed == 3
    assert found.failure.startswith("there is no task 'intnt'")


def test_a_task_that_cannot_answer_is_counted_although_its_request_is_answered(
    server: Supervisor, texts: list[str], tmp_path: Path
) -> None:
    prepare_inputs(texts, None, ["intent", "coherence"], tmp_path / "inputs.json")
    found = measure(server.grpc_url, "nlu_stream", tmp_path / "inputs.json", Concurrency(2), "stream", 4.0, 0.2)
    assert found.failed == 0
    assert found.task_errors == found.requests > 0
    assert "coherence" in found.task_error


def test_a_single_task_s_model_is_measured_with_the_same_texts(
    server: Supervisor, texts: list[str], tmp_path: Path
) -> None:
    prepare_inputs(texts, None, None, tmp_path / "inputs.json")
    found = measure(server.grpc_url, "slots", tmp_path / "inputs.json", Rate(10.0), "grpc", 4.0, 0.2)
    assert (found.failed, found.task_errors, found.first) == (0, 0, None)
    assert found.requests > 5


def test_ctrl_c_ends_perf_analyzer_too(server: Supervisor, suite: Suite, tmp_path: Path) -> None:
    texts = str(suite.folders["intent"] / "dev.jsonl")
    running = subprocess.Popen(
        [*PROGRAM, texts, "--url", server.grpc_url, "--seconds", "60", "--output", str(tmp_path)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    children: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + 120
        while _names(children := psutil.Process(running.pid).children()) != ["perf_analyzer"]:
            assert running.poll() is None
            assert time.monotonic() < deadline, "perf_analyzer did not start"
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) != 0
        assert not children[0].is_running()
    finally:
        for process in (running, *children):  # a load that goes on would spoil the tests after this one
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        running.wait()


def _names(processes: list[psutil.Process]) -> list[str]:
    """A child between fork and exec has the name of its parent; one that has just ended has none."""
    names = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            names.append(process.name())
    return names


def test_several_servers_share_callers_and_rates(server: Supervisor, texts: list[str], tmp_path: Path) -> None:
    port = server.grpc_url.rpartition(":")[2]
    prepare_inputs(texts, None, ["intent"], tmp_path / "inputs.json")
    urls = f"127.0.0.1:{port},localhost:{port}"  # one server by two names
    for load in (Concurrency(2), Rate(20.0)):
        found = measure(urls, "nlu", tmp_path / "inputs.json", load, "grpc", 4.0, 0.2)
        assert (found.failed, found.task_errors, found.unanswered) == (0, 0, False)
        assert found.requests > 5
