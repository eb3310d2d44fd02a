import signal
import sys
import warnings

import pytest
import typer

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


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ((3, 12, 1), "with its extra `build` (pip install '.[build]' in its folder)."),
        ((3, 13, 0), "with its extra `build` (pip install '.[build]' in its folder), on Python 3.11 or 3.12: this is "),
    ],
)
def test_verb_whose_package_is_missing_says_what_to_install_and_on_which_python(
    monkeypatch: pytest.MonkeyPatch, python: tuple[int, ...], sentence: str
) -> None:
    def without_torch(_app: typer.Typer) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(typer.Typer, "__call__", without_torch)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(sys, "version_info", python)
    on_signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(SystemExit) as end:
            espalier.main()
    finally:
        for number, handler in on_signals.items():
            signal.signal(number, handler)
    assert str(end.value.code).startswith("espalier: this verb needs the package 'torch': ")
    assert sentence in str(end.value.code)
