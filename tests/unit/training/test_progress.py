import pytest

import training.progress
from training.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test sets."""
    now = [0.0]
    monkeypatch.setattr(training.progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_file_gets_a_line_now_and_then_and_not_one_per_step(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("rte tap 2 layers 4", steps=100) as progress:
        for step in range(50):
            clock[0] += 4.0
            progress.step()
            if step == 9:
                progress.epoch(1, "accuracy", 61.256)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "rte tap 2 layers 4: step 8 of 100, about 6 min left"
    assert lines[1] == "rte tap 2 layers 4: step 16 of 100, accuracy 61.26 after epoch 1, about 6 min left"
    assert len(lines) == 50 // 8


def test_a_training_of_seconds_writes_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("mood", steps=10) as progress:
        for _ in range(10):
            clock[0] += 1.0
            progress.step()
    assert capsys.readouterr().err == ""
