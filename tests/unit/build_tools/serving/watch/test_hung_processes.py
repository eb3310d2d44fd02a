import signal
import time

import pytest

from build_tools.backends.espalier_backend.step_clock import StepClock
from build_tools.serving.watch import hung_processes
from build_tools.serving.watch.hung_processes import HungProcesses

KILLED = "hangs in a request: killed"


@pytest.fixture
def sent(monkeypatch):
    """The signals sent."""
    sent = []
    monkeypatch.setattr(hung_processes.os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Of the process 7."""
    monkeypatch.setenv("ESPALIER_STEPS", str(tmp_path))
    clock = StepClock()
    next(tmp_path.iterdir()).rename(tmp_path / "7")
    return clock


def _look(hung, after):
    """What is done in `after` seconds, with a look ten times a second."""
    now = time.monotonic()
    return [done for tenth in range(int(10 * after)) if (done := hung.see(7, now + tenth / 10))]


def test_a_process_whose_step_is_overdue_is_killed(tmp_path, clock, sent):
    clock.begin(3)
    assert _look(HungProcesses(tmp_path), 4) == []
    assert _look(HungProcesses(tmp_path), 6)[0] == KILLED
    assert sent[0] == (7, signal.SIGKILL)


def test_one_that_goes_on_or_has_nothing_to_do_is_left_alone(tmp_path, clock, sent):
    hung = HungProcesses(tmp_path)
    clock.begin(0.5)
    assert _look(hung, 1.0) == []
    clock.begin(0.5)  # the next step, before the grace is over
    assert _look(hung, 1.0) == []
    clock.end()
    assert _look(hung, 100) == []
    assert sent == []


def test_after_the_whole_machine_stood_still_a_process_gets_time_to_go_on(tmp_path, clock, sent):
    hung = HungProcesses(tmp_path)
    clock.begin(3)
    now = time.monotonic()
    assert hung.see(7, now) is None
    assert hung.see(7, now + 60) is None, "nobody has seen it late before"
    clock.begin(70)
    assert hung.see(7, now + 63) is None
    assert sent == []


def test_one_that_tells_nothing_is_not_judged(tmp_path, sent):
    (tmp_path / "8").write_bytes(b"half")
    for folder in (None, tmp_path):
        assert HungProcesses(folder).see(7, 1e9) is None
    assert HungProcesses(tmp_path).see(8, 1e9) is None
    assert sent == []


def test_what_an_ended_process_has_told_does_not_concern_the_next_one_of_its_id(tmp_path, clock):
    hung = HungProcesses(tmp_path)
    clock.begin(1)
    hung.see(7, time.monotonic())
    hung.keep({8})
    assert list(tmp_path.iterdir()) == []
