import signal
import sys
import warnings

import pytest

import espalier
from training.errors import TrainingWarning


def test_warning_of_training_is_a_plain_sentence_and_others_keep_their_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(sys, "argv", ["espalier", "--help"])
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            espalier.main()
    finally:
        signal.signal(signal.SIGTERM, on_termination)
    assert end.value.code == 0
    assert "Usage" in capsys.readouterr().out
    assert warnings.formatwarning("few rows.", TrainingWarning, "task.py", 3) == "espalier: few rows.\n"
    assert warnings.formatwarning("odd", UserWarning, "task.py", 3, line="x = 1").startswith("task.py:3: UserWarning")
