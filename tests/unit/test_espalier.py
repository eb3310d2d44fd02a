import io
import json
import os
import signal
import subprocess
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


@pytest.mark.parametrize(
    "encoding", ["ascii", "latin-1", "cp1252", "cp437", "koi8-r", "shift_jis", "gbk", "iso8859-15", "utf-8", "utf-16"]
)
@pytest.mark.parametrize("text", ["café", "東京", "smile 😀", "Привет", "a\u2028b", "lone \udce9", "\x85\xa0ß"])
def test_output_of_any_encoding_writes_every_text_and_json_stays_json(encoding: str, text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    espalier._make_writable(stream)
    stream.write(json.dumps({"text": text}, ensure_ascii=False))
    stream.flush()
    written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert json.loads(written) == {"text": text}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_program_prints_answers_to_a_terminal_that_is_not_utf8(encoding: str) -> None:
    script = (
        "import sys, espalier, typer\n"
        "from clients import answer, cli\n"
        "from rich.console import Console\n"
        "from clients.cli_output import print_heading\n"
        "def show(*_, **__):\n    print_heading('東京 é', None, Console())\n    typer.echo('ü 😀')\n"
        "typer.Typer.__call__ = show\n"
        "espalier.main()\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert rb"\u6771\u4eac" in result.stdout
