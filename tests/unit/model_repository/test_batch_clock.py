import struct
import threading
import time
from pathlib import Path

import pytest
import step_clock
from router import batch_clock
from router.batch_clock import BatchClock

from build_tools.backends.espalier_backend import step_clock as step_clock_of_backends

NEVER = "0"


@pytest.fixture
def overdue_in(tmp_path, monkeypatch):
    """Seconds until this process is overdue, or NEVER."""
    monkeypatch.setenv("ESPALIER_STEPS", str(tmp_path))

    def read():
        (number,) = struct.unpack("=d", next(tmp_path.iterdir()).read_bytes())
        return number - time.monotonic() if number else NEVER

    return read


def test_a_batch_is_overdue_soon_but_not_while_it_waits_for_a_call(overdue_in):
    clock = BatchClock()
    with clock.batch():
        assert overdue_in() == pytest.approx(batch_clock._OWN_SECONDS, abs=1)
        with clock.call():
            with clock.call():
                assert overdue_in() == pytest.approx(batch_clock._CALL_SECONDS, abs=1)
            assert overdue_in() == pytest.approx(batch_clock._CALL_SECONDS, abs=1)
        assert overdue_in() == pytest.approx(batch_clock._OWN_SECONDS, abs=1)
    assert overdue_in() == NEVER


def test_a_call_that_ends_after_its_batch_makes_nobody_overdue(overdue_in):
    clock = BatchClock()
    done, inside = threading.Event(), threading.Event()

    def abandoned():
        with clock.call():
            inside.set()
            done.wait(5)

    with clock.batch():
        thread = threading.Thread(target=abandoned)
        thread.start()
        inside.wait(5)
    done.set()
    thread.join()
    assert overdue_in() == NEVER


@pytest.mark.parametrize("folder", [None, "/nowhere"])
def test_without_a_folder_nothing_is_told_and_nothing_fails(folder, monkeypatch):
    monkeypatch.delenv("ESPALIER_STEPS", raising=False)
    if folder:
        monkeypatch.setenv("ESPALIER_STEPS", folder)
    with BatchClock().batch():
        pass


def test_backends_and_hand_written_models_tell_in_the_same_way():
    ours, theirs = Path(step_clock.__file__), Path(step_clock_of_backends.__file__)
    assert ours.read_text() == theirs.read_text()
