import signal

import pytest

from build_tools.stop_signals import stop_signals


@pytest.fixture(autouse=True)
def _handlers():
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_ends_a_command_unless_it_runs_under_nohup():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert stop_signals() == [signal.SIGTERM, signal.SIGHUP]

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    assert stop_signals() == [signal.SIGTERM]
