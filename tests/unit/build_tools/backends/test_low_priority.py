"""What is loaded at low priority leaves the threads that answer requests as they were."""

import os
import threading

import pytest

from build_tools.backends.espalier_backend.low_priority import at_low_priority


def _nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_work_steps_back_and_the_thread_that_asked_for_it_does_not() -> None:
    before = _nice()

    assert at_low_priority(_nice) == max(before, 10)
    assert _nice() == before


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no such graph")

    with pytest.raises(ValueError, match="no such graph"):
        at_low_priority(fail)
