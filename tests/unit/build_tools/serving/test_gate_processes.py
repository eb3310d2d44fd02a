"""The gate's processes, with a gate that only listens."""

import errno
import json
import os
import signal
import sys
import time

import pytest

from build_tools.serving import gate_processes
from build_tools.serving.errors import ServeError
from build_tools.serving.gate import beat
from build_tools.serving.gate_processes import GateProcesses
from build_tools.serving.triton.ports import choose_ports


@pytest.fixture
def gates(tmp_path, monkeypatch):
    """(beats, fails) -> two such processes, not started, and the events that they report."""
    monkeypatch.setattr(gate_processes, "_MODULE", "stand_in_gate")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    port = choose_ports("127.0.0.1", {"gate": None})["gate"]
    made, events = [], []

    def make(beats=True, fails=False):
        settings, state = tmp_path / "gate.json", tmp_path / "state.json"
        settings.write_text(json.dumps({"port": port, "state": str(state), "beats": beats, "fails": fails}))
        made.append(GateProcesses(settings, state, {port}, tmp_path, 2, events.append))
        return made[0], events

    yield make
    for one in made:
        one.stop()


def _look_until(gates, condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        gates.look()
        time.sleep(0.02)


def test_one_that_is_killed_is_replaced_while_the_other_goes_on_listening(gates):
    gates, events = gates()
    gates.start()
    first, second = gates.pids
    os.kill(first, signal.SIGKILL)
    _look_until(gates, lambda: len(gates.pids) == 2 and first not in gates.pids)

    assert gates.listen
    assert second in gates.pids
    assert gates.restarts == 1
    assert events == [f"gate: process {first} has ended (code -9): starting another one"]
    gates.stop()
    assert gates.pids == []


def test_one_that_is_stopped_is_continued(gates):
    gates, events = gates()
    gates.start()
    gates.look()
    first = gates.pids[0]
    os.kill(first, signal.SIGSTOP)
    _look_until(gates, lambda: events)

    assert events == [f"gate: process {first} was stopped: continued"]
    assert gates.restarts == 0


def test_one_whose_loop_hangs_is_replaced(gates, monkeypatch):
    monkeypatch.setattr(beat, "_SILENT_SECONDS", 0.5)
    gates, events = gates(beats=False)
    gates.start()
    first = gates.pids[0]
    _look_until(gates, lambda: gates.restarts)

    assert f"gate: process {first} hangs: killed" in events


def test_one_that_cannot_start_is_told(gates):
    gates, _ = gates(fails=True)

    with pytest.raises(ServeError, match=r"the gate did not start \(exit code 1\)"):
        gates.start()


def test_a_machine_that_has_no_process_left_for_a_moment_does_not_end_the_server(gates, monkeypatch):
    gates, events = gates()
    gates.start()

    def full(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(gate_processes.subprocess, "Popen", full)
        os.kill(gates.pids[0], signal.SIGKILL)
        _look_until(gates, lambda: events)
        _look_until(gates, lambda: "gate: no process can be started: Resource temporarily unavailable" in events)
        assert len(gates.pids) == 1
    _look_until(gates, lambda: len(gates.pids) == 2)
