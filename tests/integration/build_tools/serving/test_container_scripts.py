"""The two programs of the containers `triton` and `gate`, beside each other, with the tritonserver of the wheel."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import uuid4

import pytest
from child_process import child_process
from untrained import save_untrained, tiny_encoder

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from build_tools.build.builder import build
from build_tools.serving.triton.backend_directory import assemble_backends
from build_tools.serving.triton.distribution import find_distribution
from build_tools.serving.triton.environment import server_environment
from build_tools.serving.triton.ports import choose_ports
from clients import Client
from clients.credentials import Credentials
from clients.served_tasks import ServedVersion, served_tasks

SCRIPTS = Path(__file__).resolve().parents[4] / "deploy" / "container"
PATIENCE = 60.0
# In place of a container's program: the real one, with the paths and ports of this test.
STAND_IN = """#!{python}
import os, sys
places = {places}
arguments = sys.argv[1:]
for before, after in places.items():
    arguments = [one.replace(before, after) for one in arguments]
os.execve({program}[0], [*{program}, *arguments, *{more}], {{**os.environ, **{environment}}})
"""


@dataclass
class Beside:
    """grpc, http, metrics: public addresses. triton: of Triton itself. triton_program: its process."""

    grpc: str
    http: str
    metrics: str
    triton: str
    triton_program: subprocess.Popen


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """One task."""
    folder = tmp_path_factory.mktemp("containers")
    build([save_untrained(folder / "mood", tiny_encoder(folder / "encoder"), "mood")], folder / "repository")
    for name in ("private", "metrics", "bin", "backends"):
        (folder / name).mkdir()
    distribution = find_distribution()
    assemble_backends(distribution, folder / "backends")
    ports = choose_ports("127.0.0.1", {"grpc": None, "metrics": None})
    places = {"/models": str(folder / "repository"), "8004": str(ports["grpc"]), "8005": str(ports["metrics"])}
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        "ESPALIER_PRIVATE": str(folder / "private"),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
    }

    def stand_in(name: str, program: list[str], more: list[str], needed: dict[str, str]) -> None:
        text = STAND_IN.format(python=sys.executable, places=places, program=program, more=more, environment=needed)
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)

    prefix = f"espalier_container_{uuid4().hex}_"  # a Triton that is killed leaves its shared memory
    embedded = [
        f"--backend-directory={folder / 'backends'}",
        "--model-config-name=espalier",
        f"--backend-config=python,shm-region-prefix-name={prefix}",
    ]
    stand_in("tritonserver", [str(distribution.tritonserver)], embedded, server_environment(distribution, folder))
    stand_in("espalier", [sys.executable, "-u", "-c", "from espalier import main; main()"], [], {})

    free = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]
    options = {"env": os.environ | environment, "stdout": subprocess.PIPE, "text": True}
    with (
        (folder / "triton.log").open("w") as log,
        child_process([SCRIPTS / "start_triton.sh"], env=options["env"], stdout=log, stderr=log) as triton,
        child_process([SCRIPTS / "start_gate.sh", *free], **options) as gate,
    ):
        said = ""
        while not said.endswith("Ctrl-C stops.\n"):
            line = gate.stdout.readline()
            assert line, f"{said}{(folder / 'triton.log').read_text()}"
            said += line
        addresses = [re.search(rf"{name} +(\S+)", said)[1] for name in ("gRPC", "HTTP", "metrics")]
        yield Beside(*addresses, f"127.0.0.1:{ports['grpc']}", triton)
    for left in Path("/dev/shm").glob(f"{prefix}*"):
        left.unlink()


def test_clients_are_answered_through_the_gate(served: Beside) -> None:
    for address in (served.grpc, served.http):
        with Client(address) as client:
            assert client.predict("play some jazz")["mood"].label in ("a", "b", "c")
    with urlopen(f"{served.http}/v2/health/ready") as response:
        assert response.status == 200


def test_the_gate_says_where_each_task_sits(served: Beside) -> None:
    task = served_tasks(served.http, Credentials())["mood"]

    assert (task.kind, task.live, task.canary, task.shadow) == ("classification", 1, None, None)
    assert task.versions == {1: ServedVersion(trunk="trunk", tap=2, layers=1)}


def test_triton_itself_is_closed_to_who_has_no_key(served: Beside) -> None:
    with (
        grpc.InferenceServerClient(served.triton) as client,
        pytest.raises(InferenceServerException, match="restricted"),
    ):
        client.get_model_repository_index()


def test_the_gate_s_metrics_hold_what_triton_and_its_routers_count(served: Beside) -> None:
    with Client(served.grpc) as client:
        client.predict("play some jazz")

    def page() -> str:
        return urlopen(served.metrics).read().decode()

    _wait_until(lambda: re.search(r"^espalier_tokens_total\{[^}]*\} [1-9]", page(), re.MULTILINE) is not None)
    assert "nv_inference_count{" in page()
    assert "espalier_gate_requests_total{" in page()


def test_while_triton_is_gone_the_gate_is_not_ready(served: Beside) -> None:
    served.triton_program.kill()

    _wait_until(lambda: _status(f"{served.http}/v2/health/ready") == 503)
    assert _status(f"{served.http}/v2/health/live") == 200


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _status(url: str) -> int:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    finally:
        connection.close()
