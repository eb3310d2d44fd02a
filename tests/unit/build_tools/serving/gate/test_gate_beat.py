"""When the supervisor takes a gate process for one that hangs."""

import os

import pytest

from build_tools.serving.gate.beat import GateBeat


@pytest.fixture
def gate(tmp_path):
    return GateBeat(tmp_path / "state.json", 7)


def _is_silent(gate, begin, end):
    """Whether it is at the end of this time, with a look each second."""
    return [gate.is_silent(now) for now in range(begin, end + 1)][-1]


def test_a_gate_is_silent_after_ten_seconds_without_a_beat(gate, tmp_path):
    gate.beat()
    assert not _is_silent(gate, 100, 110)
    assert gate.is_silent(111)

    os.utime(tmp_path / "gate-7.beat", (1, 1))  # the next beat
    assert not gate.is_silent(112)


def test_a_gate_has_a_minute_until_its_first_beat(gate):
    assert not _is_silent(gate, 100, 160)
    assert gate.is_silent(161)


def test_after_the_whole_machine_stood_still_a_gate_gets_time_to_beat_again(gate):
    gate.beat()
    assert not _is_silent(gate, 100, 105)
    assert not gate.is_silent(900), "the supervisor has stood still as well"
    assert not _is_silent(gate, 901, 910)
    assert gate.is_silent(911)


def test_nothing_stays_of_a_gate_that_has_ended(gate, tmp_path):
    gate.beat()
    gate.remove()
    gate.remove()
    assert list(tmp_path.iterdir()) == []
