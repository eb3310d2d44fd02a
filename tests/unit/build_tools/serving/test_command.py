import io
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.repository.device import Device
from build_tools.repository.registry import Registry, write_registry
from build_tools.serving import command
from build_tools.serving.command import serve
from build_tools.serving.errors import ServeError
from build_tools.serving.supervisor import Settings
from build_tools.serving.triton.resources import Resources


def test_a_folder_that_was_not_built_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BuildError, match=r"holds no registry\.json: run espalier build first"):
        serve(repository=tmp_path)


def test_a_repository_for_a_gpu_is_served_only_beside_nvidia_s_triton(tmp_path):
    write_registry(tmp_path, Registry(runtime="onnxruntime", device=Device.GPU, trunks={}, tasks={}))

    with pytest.raises(BuildError, match=r"are for a GPU.*--triton"):
        serve(repository=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["registry.json"]


@pytest.fixture
def started(monkeypatch):
    """What the command starts a server with, on a repository that is in order; Ctrl-C ends it at once."""
    started = []

    def wait():
        raise KeyboardInterrupt

    def start(settings, _report):
        started.append(settings)
        return nullcontext(SimpleNamespace(grpc_url="here:1", http_url="here:2", metrics_url="here:3", wait=wait))

    monkeypatch.setattr(command, "read_registry", lambda _: Registry(runtime="openvino", trunks={}, tasks={}))
    monkeypatch.setattr(command, "_opened", lambda _: nullcontext())
    monkeypatch.setattr(command, "Supervisor", start)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    return started


def _serve(*options):
    result = CliRunner().invoke(app, ["serve", *map(str, options)])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_option_reaches_the_server(started, monkeypatch):
    monkeypatch.setenv("ESPALIER_TRITON_KEY", "secret")
    given = ["--repository", "r", "--grpc-port", 1, "--http-port", 2, "--metrics-port", 3, "--host", "0.0.0.0"]
    given += ["--startup-timeout", 600, "--log-file", "triton.log", "--insecure", "--gate-workers", 2]
    given += ["--threads", 4, "--trunk-threads", 5, "--at-once", 6, "--result-cache", 7]
    given += ["--access-log", "-", "--access-log-texts"]
    given += ["--triton", "127.0.0.1:9", "--triton-metrics", "127.0.0.1:10"]

    shown = _serve(*given)

    assert started == [
        Settings(
            repository=Path("r"),
            grpc_port=1,
            http_port=2,
            metrics_port=3,
            host="0.0.0.0",
            startup_timeout=600.0,
            log_file=Path("triton.log"),
            resources=Resources(4, 5, 6, 7),
            gate_workers=2,
            access_log="-",
            access_log_texts=True,
            attached="127.0.0.1:9",
            attached_key="secret",
            attached_metrics="127.0.0.1:10",
        )
    ]
    assert "gRPC     here:1\n" in shown
    assert "HTTP     http://here:2\n" in shown
    assert "metrics  http://here:3/metrics\n" in shown
    assert "INSECURE: other machines can ask" in shown
    assert shown.endswith("Ctrl-C stops.\nStopped.\n")


def test_an_access_log_that_cannot_be_written_is_told_before_anything_is_started(started, tmp_path):
    result = CliRunner().invoke(app, ["serve", "--access-log", str(tmp_path / "missing" / "log")])

    assert "give another file as --access-log" in str(result.exception)
    assert started == []


def test_other_machines_are_let_in_only_if_that_is_meant(started):
    with pytest.raises(ServeError, match=r"--host 0\.0\.0\.0 lets other machines ask"):
        serve(host="0.0.0.0")

    assert started == []


def test_a_server_listens_on_loopback_at_triton_s_ports_and_has_two_minutes_to_start(started):
    _serve()

    one = started[0]
    assert (one.repository, one.host, one.startup_timeout) == (Path("model_repository"), "127.0.0.1", 120.0)
    assert (one.grpc_port, one.http_port, one.metrics_port) == (8001, 8000, 8002)
    assert (one.log_file, one.keys, one.tls, one.access_log, one.attached) == (None, None, None, None, None)


@pytest.mark.parametrize(("cores", "gates"), [(1, 1), (4, 1), (7, 1), (8, 2), (32, 8)])
def test_the_gate_has_one_process_for_four_cores(started, monkeypatch, cores, gates):
    monkeypatch.setattr(command, "usable_cores", lambda: cores)

    _serve()

    assert started[0].gate_workers == gates


def test_port_0_takes_a_free_one(started):
    _serve("--grpc-port", 0, "--http-port", 0, "--metrics-port", 0)

    assert (started[0].grpc_port, started[0].http_port, started[0].metrics_port) == (None, None, None)


def test_a_replica_serves_its_view_and_says_what_it_is(started, monkeypatch):
    opened = SimpleNamespace(view=SimpleNamespace(folder=Path("view")))
    monkeypatch.setattr(command, "_opened_replica", lambda _: nullcontext(opened))

    shown = _serve("--repository", "r", "--replica")

    assert [(settings.repository, settings.replica) for settings in started] == [(Path("view"), opened)]
    assert "Espalier serves r as a replica" in shown


@pytest.mark.usefixtures("started")
def test_a_replica_whose_files_are_removed_while_it_starts_begins_again_with_what_is_there(monkeypatch):
    opened = SimpleNamespace(view=SimpleNamespace(folder=Path("view")), is_outdated=True)
    start, attempts = command.Supervisor, []

    def start_the_second_time(settings, report):
        attempts.append(settings)
        if len(attempts) == 1:
            raise ServeError("tritonserver did not start")
        return start(settings, report)

    monkeypatch.setattr(command, "Supervisor", start_the_second_time)
    monkeypatch.setattr(command, "_opened_replica", lambda _: nullcontext(opened))

    assert "as a replica" in _serve("--repository", "r", "--replica")
    assert len(attempts) == 2


@pytest.mark.usefixtures("started")
def test_a_replica_beside_a_triton_of_somebody_else_is_told_that_it_has_its_own():
    result = CliRunner().invoke(app, ["serve", "--replica", "--triton", "127.0.0.1:9"])

    assert isinstance(result.exception, ServeError)
    assert "--replica and --triton exclude each other" in str(result.exception)


@pytest.mark.parametrize("option", ["--triton", "--triton-metrics"])
@pytest.mark.parametrize("address", ["127.0.0.1", "localhost:", ":8001", "127.0.0.1:http", "127.0.0.1:80010"])
def test_an_address_without_a_port_is_told_before_anything_is_started(started, option, address):
    result = CliRunner().invoke(app, ["serve", option, address])

    assert str(result.exception) == f"{option} {address} is no address: give HOST:PORT, such as 127.0.0.1:8001."
    assert started == []


def test_a_server_goes_on_when_nobody_reads_its_events_any_more(monkeypatch):
    class Left(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.setattr(command.sys, "stderr", Left())
    command._report("ready")


def test_a_replica_of_a_folder_without_a_control_key_is_told_how_to_make_one(tmp_path):
    with (
        pytest.raises(ServeError, match=r"has no control\.key: run espalier upgrade"),
        command._opened_replica(Settings(tmp_path)),
    ):
        pass
