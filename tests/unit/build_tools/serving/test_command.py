from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.serving import command
from build_tools.serving.command import serve
from build_tools.serving.resources import Resources


def test_a_folder_that_was_not_built_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BuildError, match=r"holds no registry\.json: run espalier build first"):
        serve(repository=tmp_path)


@pytest.fixture
def started(monkeypatch):
    """What the command starts a server with, on a repository that is in order; Ctrl-C ends it at once."""
    started = []

    def wait():
        raise KeyboardInterrupt

    def start(*given):
        started.append(given)
        return nullcontext(SimpleNamespace(grpc_url="here:1", http_url="here:2", metrics_url="here:3", wait=wait))

    monkeypatch.setattr(command, "read_registry", lambda _: None)
    monkeypatch.setattr(command, "_opened", lambda _: nullcontext())
    monkeypatch.setattr(command, "TritonServer", start)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    return started


def _serve(*options):
    result = CliRunner().invoke(app, ["serve", *map(str, options)])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_option_reaches_the_server(started):
    given = ["--repository", "r", "--grpc-port", 1, "--http-port", 2, "--metrics-port", 3, "--host", "0.0.0.0"]
    given += ["--startup-timeout", 600, "--log-file", "triton.log"]
    given += ["--threads", 4, "--trunk-threads", 5, "--at-once", 6, "--result-cache", 7]

    shown = _serve(*given)

    assert started == [(Path("r"), 1, 2, 3, "0.0.0.0", 600.0, Path("triton.log"), Resources(4, 5, 6, 7))]
    assert "gRPC     here:1\n" in shown
    assert "metrics  http://here:3/metrics\n" in shown
    assert shown.endswith("Ctrl-C stops.\nStopped.\n")


def test_a_server_listens_on_loopback_at_triton_s_ports_and_has_two_minutes_to_start(started):
    _serve()

    assert started[0][:7] == (Path("model_repository"), 8001, 8000, 8002, "127.0.0.1", 120.0, None)


def test_port_0_takes_a_free_one(started):
    _serve("--grpc-port", 0, "--http-port", 0, "--metrics-port", 0)

    assert started[0][1:4] == (None, None, None)
