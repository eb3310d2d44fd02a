"""`espalier serve` with the real gate and tritonserver: what it says, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.serving.errors import ServeError
from build_tools.serving.supervisor import Settings, Supervisor
from build_tools.serving.triton.server import TritonServer
from clients import Client

ROOT = Path(__file__).resolve().parents[4]
SERVE = "import typer; from build_tools.serving.command import serve; typer.run(serve)"
PORTS = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    checkpoint = save_untrained(folder / "intent", tiny_encoder(folder / "encoder"), "intent")
    build([checkpoint], folder / "repository", router_instances=1)
    return folder / "repository"


@contextmanager
def _serving(repository: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", SERVE, "--repository", str(repository), *PORTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _nothing_left(temporary: Path) -> Iterator[Callable[[int], None]]:
    """Give it a process id: what that tree has on the machine must be gone at the end, `temporary` empty."""
    tree: list[psutil.Process] = []

    def note(pid: int) -> None:
        tree.extend([psutil.Process(pid), *psutil.Process(pid).children(recursive=True)])

    before = set(Path("/dev/shm").glob("espalier_*"))
    yield note
    assert [one for one in tree if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert list(temporary.iterdir()) == []
    assert {file for file in set(Path("/dev/shm").glob("espalier_*")) - before if _is_of(file, tree)} == set()


def _is_of(file: Path, tree: list[psutil.Process]) -> bool:
    try:
        mark = file.read_text(errors="replace")
    except FileNotFoundError:  # of another test's server, which has just ended
        return False
    return any(f'"pid": {one.pid}' in mark for one in tree)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_serves_and_stops_cleanly(repository, tmp_path, number):
    with _nothing_left(tmp_path) as note, _serving(repository, tmp_path) as serve:
        assert serve.stdout is not None
        shown = ""
        while not shown.endswith("Ctrl-C stops.\n"):
            line = serve.stdout.readline()
            assert line, f"it ended after saying {shown!r}"
            shown += line
        note(serve.pid)
        found = {
            name: re.search(rf"{name} +(?:http://)?(127\.0\.0\.1:\d+)", shown) for name in ("gRPC", "HTTP", "metrics")
        }
        for path in ("HTTP", "/v2/health/ready"), ("HTTP", "/ready/intent"), ("metrics", "/metrics"):
            with urlopen(f"http://{found[path[0]][1]}{path[1]}") as response:
                assert response.status == 200
        assert Client(found["gRPC"][1]).predict("a b").keys() == {"intent"}

        serve.send_signal(number)

        assert serve.wait(60) == 0
        assert serve.stdout.read() == "Stopped.\n"


def test_the_command_stopped_while_models_load_leaves_nothing_behind(repository, tmp_path):
    with _nothing_left(tmp_path) as note, _serving(repository, tmp_path) as serve:
        deadline = time.monotonic() + 120
        while not _loads_models(serve.pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        note(serve.pid)

        serve.send_signal(signal.SIGINT)

        assert serve.wait(60) == 0


def _loads_models(pid: int) -> bool:
    try:
        return any("stub" in one.name() for one in psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:  # one of them has just ended
        return False


def test_a_triton_that_something_else_runs_is_watched_by_inference_and_healed(repository, monkeypatch):
    monkeypatch.setattr("build_tools.serving.watch.model_health.PROBE_EVERY", 0.5)
    monkeypatch.setattr("build_tools.serving.watch.watch.PROBE_EVERY", 0.5)
    events: list[str] = []
    with TritonServer(repository, key="secret") as triton:
        attached = Settings(repository, attached=triton.grpc_url, attached_key="secret")
        with Supervisor(attached, events.append) as server, Client(server.grpc_url) as client:
            stub = next(one for one in psutil.Process(triton.pid).children() if "branch_intent/1" in str(one.cmdline()))
            stub.kill()
            deadline = time.monotonic() + 60
            while "branch_intent: is back" not in events:
                assert time.monotonic() < deadline, events
                time.sleep(0.05)

            assert client.predict("a b")["intent"].error is None
        assert triton.exit_reason() is None, "what something else has started must not be ended"


def test_a_triton_that_does_not_run_is_told_with_what_to_do(repository):
    settings = Settings(repository, attached="127.0.0.1:1", attached_key="secret", startup_timeout=1.0)

    with pytest.raises(ServeError, match=r"no Triton answers at 127\.0\.0\.1:1 after 1 seconds: start it with"):
        Supervisor(settings, print).start()
