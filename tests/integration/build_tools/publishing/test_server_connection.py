"""Publishing's connection to a real tritonserver: a lost one costs no question, and this machine has no proxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from breakable_proxy import BreakableProxy

from build_tools.errors import BuildError
from build_tools.publishing import running_server
from build_tools.publishing.running_server import RunningServer
from build_tools.serving.triton.server import TritonServer

MODELS = {"trunk_openvino": [1], "trunk_onnxruntime": [1]}


@pytest.fixture(scope="module")
def server(served_repository: Path) -> Iterator[TritonServer]:
    with TritonServer(served_repository) as server:
        yield server


@pytest.fixture
def proxy(server: TritonServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakableProxy]:
    monkeypatch.setattr(running_server, "_SECONDS", 3.0)
    monkeypatch.setattr(running_server, "_PROBE_SECONDS", 3.0)
    made = BreakableProxy(server.grpc_url)
    yield made
    made.go_down()  # the server waits for open connections before it ends


def test_a_question_on_a_connection_lost_in_silence_is_asked_again(proxy):
    with RunningServer(f"127.0.0.1:{proxy.port}") as running:
        proxy.lose_connections()
        assert running.ready_versions() == MODELS


def test_a_model_is_loaded_over_a_connection_that_was_lost_while_idle(proxy, monkeypatch):
    with RunningServer(f"127.0.0.1:{proxy.port}") as running:
        monkeypatch.setattr(running_server, "_IDLE_SECONDS", -1.0)
        proxy.lose_connections()
        running.load("trunk_openvino")
        assert running.ready_versions() == MODELS


def test_a_server_that_is_back_is_asked_at_once(proxy):
    with RunningServer(f"127.0.0.1:{proxy.port}") as running:
        proxy.go_down()
        with pytest.raises(BuildError, match="does not answer"):
            running.ready_versions()
        proxy.come_back()
        assert running.ready_versions() == MODELS


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_on_this_machine_is_found_whatever_proxy_the_environment_names(server, monkeypatch, variable, host):
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    with RunningServer(server.grpc_url.replace("127.0.0.1", host)) as running:
        assert running.ready_versions() == MODELS
