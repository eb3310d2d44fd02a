import signal

import pytest

from build_tools.serving.watch import stopped_processes
from build_tools.serving.watch.stopped_processes import StoppedProcesses


@pytest.fixture
def sent(monkeypatch):
    """The signals sent."""
    sent = []
    monkeypatch.setattr(stopped_processes.os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_a_process_stopped_a_moment_ago_is_continued(sent):
    seen = StoppedProcesses()
    assert seen.see(7, False, 10.0) is None
    assert seen.see(7, True, 10.25) == "was stopped: continued"
    assert sent == [(7, signal.SIGCONT)]


@pytest.mark.parametrize("last_seen", [None, 7.0])
def test_a_process_that_may_have_been_stopped_for_long_is_killed_because_tritonserver_would_abort(sent, last_seen):
    seen = StoppedProcesses()
    if last_seen is not None:
        seen.see(7, False, last_seen)
    assert seen.see(7, True, 10.0) == "was stopped: killed"
    assert sent == [(7, signal.SIGKILL)]


def test_a_process_that_is_stopped_again_and_again_is_killed(sent):
    seen = StoppedProcesses()
    for now in range(3):
        seen.see(7, False, now)
        seen.see(7, True, now + 0.25)
    assert sent == [(7, signal.SIGCONT), (7, signal.SIGCONT), (7, signal.SIGKILL)]
