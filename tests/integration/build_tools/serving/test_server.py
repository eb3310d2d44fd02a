"""The real tritonserver: what it answers, and that nothing of it stays behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import onnxruntime
import psutil
import pytest

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.server import TritonServer
from build_tools.serving.triton.triton_control import TritonControl, TritonError
from build_tools.serving.watch.model_processes import ProcessTable
from build_tools.serving.watch.revival import Revival

BACKENDS = ("openvino", "onnxruntime")


class Traces:
    """What a server has on the machine: its processes, their shared memory and its temporary folder."""

    def __init__(self, pid: int) -> None:
        server = psutil.Process(pid)
        self.processes = [server, *server.children(recursive=True)]
        commands = [process.cmdline() for process in self.processes]
        # A stub is started with the path of its model and the name of its shared memory.
        self.shared_memory = [Path("/dev/shm", command[2]) for command in commands if command[0].endswith("_stub")]
        directory = next(part for part in commands[0] if part.startswith("--backend-directory="))
        self.folder = Path(directory.partition("=")[2]).parent

    def left(self) -> list[object]:
        alive = [p for p in self.processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        return [*alive, *(path for path in (*self.shared_memory, self.folder) if path.exists())]


def _wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(served_repository: Path) -> Iterator[TritonServer]:
    with TritonServer(served_repository) as server:
        yield server


def _infer(server: TritonServer, model: str, x: np.ndarray, outputs: list[str]) -> dict[str, np.ndarray]:
    tensor = triton.InferInput("x", x.shape, "FP32")
    tensor.set_data_from_numpy(x)
    with triton.InferenceServerClient(server.grpc_url) as client:
        asked = [triton.InferRequestedOutput(name) for name in outputs]
        result = client.infer(model, [tensor], outputs=asked)
    names = [output.name for output in result.get_response().outputs]
    return {name: result.as_numpy(name) for name in names}


def _outputs_computed(server: TritonServer, model: str) -> dict[str, float]:
    with urlopen(f"http://{server.metrics_url}/metrics") as response:
        text = response.read().decode()
    pattern = rf'^espalier_outputs_computed_total{{model="{model}",output="(\w+)",version="1"}} (\S+)$'
    return {name: float(count) for name, count in re.findall(pattern, text, re.MULTILINE)}


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((5, 8), np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_answers_what_onnx_runtime_computes(server, served_repository, backend, x):
    file = served_repository / f"trunk_{backend}" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    expected = dict(zip(("hidden_1", "hidden_2"), session.run(["hidden_1", "hidden_2"], {"x": x}), strict=True))

    answer = _infer(server, f"trunk_{backend}", x, ["hidden_1", "hidden_2"])

    assert answer.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(answer[name], tensor, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_asked_for_the_lower_output_a_backend_does_not_compute_the_upper_one(server, backend, x):
    model = f"trunk_{backend}"
    before = _outputs_computed(server, model)

    answer = _infer(server, model, x, ["hidden_1"])

    assert list(answer) == ["hidden_1"]
    after = _outputs_computed(server, model)
    assert {name: after[name] - before[name] for name in after} == {"hidden_1": 1, "hidden_2": 0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_request_that_fails_gets_the_error_and_the_next_one_its_answer(server, backend, x):
    with pytest.raises(InferenceServerException, match=r"(?i)shape|dimension"):
        _infer(server, f"trunk_{backend}", np.zeros((5, 9), np.float32), ["hidden_2"])

    assert _infer(server, f"trunk_{backend}", x, ["hidden_2"])["hidden_2"].shape == (5, 8)


def test_every_endpoint_answers_on_loopback_only(server):
    listening = [
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for process in (psutil.Process(server.pid), *psutil.Process(server.pid).children())
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    urls = {server.grpc_url, server.http_url, server.metrics_url}
    assert {f"{address}:{port}" for address, port in listening} == urls


def test_a_running_server_leaves_nothing_behind_when_stopped(repository):
    server = TritonServer(repository).start()
    traces = Traces(server.pid)
    assert len(traces.shared_memory) == 2  # one stub for each model
    assert all(path.exists() for path in traces.shared_memory)

    server.stop()

    assert traces.left() == []
    with pytest.raises(ServeError, match="is not running"):
        _ = server.grpc_url


def test_a_server_that_dies_is_told_and_its_orphans_are_removed(repository):
    with TritonServer(repository) as server:
        traces = Traces(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        _wait_for(server.exit_reason)
        assert str(server.exit_reason()).startswith("tritonserver ended by itself (signal SIGKILL):\n")

    assert traces.left() == []


def test_a_broken_model_is_told_in_tritons_words_and_leaves_nothing_behind(repository, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (repository / "trunk_openvino" / "1" / "model.onnx").write_bytes(b"no model")
    before = psutil.Process().children(recursive=True)

    with pytest.raises(ServeError) as raised:
        TritonServer(repository).start()

    assert "failed to load 'trunk_openvino' version 1" in str(raised.value)
    assert "trunk_openvino/1/model.onnx" in str(raised.value)
    assert "trunk_onnxruntime" not in str(raised.value)
    assert psutil.Process().children(recursive=True) == before
    assert list(tmp_path.iterdir()) == [repository]


def test_a_server_that_is_not_ready_in_time_is_stopped_and_the_option_is_named(repository):
    before = psutil.Process().children(recursive=True)

    with pytest.raises(ServeError, match=r"not ready after 0\.01 seconds; raise --startup-timeout"):
        TritonServer(repository, startup_timeout=0.01).start()

    assert psutil.Process().children(recursive=True) == before


def test_a_port_in_use_is_told_before_anything_is_started(repository):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        before = psutil.Process().children()

        with pytest.raises(ServeError, match=f"port {port} for http is in use"):
            TritonServer(repository, http_port=port).start()

        assert psutil.Process().children() == before


def test_a_server_ends_with_a_parent_that_is_killed(repository, tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from build_tools.serving.triton.server import TritonServer; "
        "print(TritonServer(Path(sys.argv[1])).start().pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(repository)]
    # The temporary folder stays, because nobody is left to remove it.
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        traces = Traces(int(parent.stdout.readline()))
        parent.kill()

    _wait_for(lambda: traces.left() == [traces.folder])


def test_a_private_server_has_no_http_and_answers_only_who_has_the_key(repository):
    with TritonServer(repository, key="secret") as server:
        with TritonControl(server.grpc_url, "secret") as control:
            assert control.is_ready()
            assert {model for model, _ in control.loaded().ready} == {f"trunk_{backend}" for backend in BACKENDS}
        with TritonControl(server.grpc_url, "guess") as guesser, pytest.raises(TritonError, match="protocol"):
            guesser.loaded()
        with (
            triton.InferenceServerClient(server.grpc_url) as stranger,
            pytest.raises(InferenceServerException, match="protocol"),
        ):
            stranger.is_server_live()
        with pytest.raises(ServeError, match="is private: it has no http endpoint"):
            _ = server.http_url
        listening = [
            connection.laddr.port
            for connection in psutil.Process(server.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert sorted(listening) == sorted(int(url.rpartition(":")[2]) for url in (server.grpc_url, server.metrics_url))


def test_a_tolerant_server_starts_with_the_models_that_can_be_loaded(repository):
    (repository / "trunk_openvino" / "1" / "model.onnx").write_bytes(b"no model")

    server = TritonServer(repository, key="secret", tolerant=True)
    with server, TritonControl(server.grpc_url, "secret") as control:
        assert {model for model, _ in control.loaded().ready} == {"trunk_onnxruntime"}


@pytest.mark.parametrize("dead", [True, False])
def test_a_model_is_loaded_afresh_into_new_processes_whether_the_old_ones_live_or_not(repository, x, dead):
    with TritonServer(repository, key="secret") as server, TritonControl(server.grpc_url, "secret") as control:
        old = [one.pid for one in ProcessTable(server.pid).read() if one.version == ("trunk_openvino", 1)]
        if dead:
            os.kill(old[0], signal.SIGKILL)

        for number in (1, 2):
            Revival(control, repository, own_backends=True).revive("trunk_openvino", number, interrupting=True)

        _wait_for(lambda: not [pid for pid in old if psutil.pid_exists(pid)] or dead)
        new = [one.pid for one in ProcessTable(server.pid).read() if one.version == ("trunk_openvino", 1)]
        assert new
        assert not set(new) & set(old)
        request = service_pb2.ModelInferRequest(model_name="trunk_openvino")
        tensor = request.inputs.add(name="x", datatype="FP32", shape=x.shape)
        tensor.contents.fp32_contents.extend(x.ravel().tolist())
        control.ask(request, streamed=False, seconds=10.0)
