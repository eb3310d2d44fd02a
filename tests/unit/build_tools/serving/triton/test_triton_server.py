"""How tritonserver is started and ended, with a program in its place that only sleeps."""

import os
import signal
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton import server as module
from build_tools.serving.triton.server import TritonServer


class AlwaysReady:
    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def is_ready(self):
        return True


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the server's folder is, with a tritonserver that only sleeps."""
    program = tmp_path / "tritonserver"
    program.write_text("#!/bin/sh\necho E it begins\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "find_distribution", lambda: SimpleNamespace(tritonserver=program))
    monkeypatch.setattr(module, "server_environment", lambda *_: dict(os.environ))
    monkeypatch.setattr(module, "assemble_backends", lambda *_: None)
    monkeypatch.setattr(module, "check_space", lambda *_: None)
    monkeypatch.setattr(module, "TritonControl", AlwaysReady)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return temporary


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository"


@pytest.mark.usefixtures("temporary")
def test_a_server_whose_log_was_moved_away_can_still_be_told_to_have_ended(repository, tmp_path):
    with TritonServer(repository, log_file=tmp_path / "triton.log") as server:
        (tmp_path / "triton.log").rename(tmp_path / "triton.log.1")
        os.kill(server.pid, signal.SIGKILL)
        while (reason := server.exit_reason()) is None:
            pass

    assert reason == (
        "tritonserver ended by itself (signal SIGKILL):\n"
        f"its log {tmp_path / 'triton.log'} cannot be read (No such file or directory)"
    )


@pytest.mark.usefixtures("temporary")
def test_started_again_it_goes_on_in_its_log_and_is_told_to_end_by_the_new_lines_alone(repository, tmp_path):
    log = tmp_path / "triton.log"
    log.write_text("of another server")
    server = TritonServer(repository, log_file=log)
    for starts in (1, 2):
        with server:
            while log.read_text() != "E it begins\n" * starts:
                pass
            os.kill(server.pid, signal.SIGKILL)
            while (reason := server.exit_reason()) is None:
                pass
        assert reason == "tritonserver ended by itself (signal SIGKILL):\nE it begins"


def test_a_stop_while_it_is_being_started_leaves_nothing_behind(repository, temporary, monkeypatch):
    is_starting, goes_on = threading.Event(), threading.Event()

    def assemble(_, folder):
        is_starting.set()
        goes_on.wait(10)
        (folder / "python").mkdir(parents=True)

    def start():
        with suppress(ServeError):
            server.start()

    monkeypatch.setattr(module, "assemble_backends", assemble)
    server = TritonServer(repository)
    starting, stopping = threading.Thread(target=start), threading.Thread(target=server.stop)
    starting.start()
    assert is_starting.wait(10)
    stopping.start()
    stopping.join(0.05)
    goes_on.set()
    starting.join()
    stopping.join()

    assert list(temporary.iterdir()) == []
    with pytest.raises(ServeError, match="is not running"):
        _ = server.pid
