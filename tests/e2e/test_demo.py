"""`make demo`: the script as it stands, with training cut short."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TASKS = ("domain", "intent", "slots", "emotion", "coherence")
# Runs a command in a terminal of its own; what comes in is typed there, what is shown there goes out.
IN_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def environment_with(espalier: str, folder: Path) -> dict[str, str]:
    """The environment in which `espalier` runs these lines of bash first."""
    program = folder / "bin" / "espalier"
    program.parent.mkdir()
    program.write_text(f'#!/bin/bash\n{espalier}\nexec "{BIN}/espalier" "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": os.pathsep.join([str(program.parent), str(BIN), os.environ["PATH"]])}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a whole demo outside a terminal, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    quick = 'case "$1" in finetune|distill) set -- "$@" --epochs 1 --train-rows 64;; esac'
    done = subprocess.run(
        ["bash", ROOT / "demo.sh", folder / "demo"],
        env=environment_with(quick, folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "demo", done.stdout


@contextmanager
def demo_in_a_terminal(made: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo in a terminal that takes what another demo has made instead of making it."""
    already = (
        f'case "$1" in sample-suite) exec cp -r "{made}/teachers" "{made}/repository" "$demo";; '
        "finetune|distill|build) exit 0;; esac"
    )
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, "bash", ROOT / "demo.sh", folder / "demo"],
        env=environment_with(already, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as terminal:
        try:
            yield terminal
        finally:
            terminal.kill()  # closes the terminal, which ends the demo in it


def next_commands(printed: str) -> list[str]:
    """The commands that the demo recommends."""
    _, _, end = printed.partition("What to try next")
    return re.findall(r"^  ((?:espalier|curl) .*)$", end, re.MULTILINE)


def test_the_demo_prints_every_task_s_answer_for_each_utterance_and_stops_its_server(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    _, _, rest = printed.partition("over gRPC")
    answers, _, _ = rest.partition("\n\n\x1b[1mWhat to try next")
    utterances = answers.partition("\n")[2].strip().split("\n\n")
    assert len(utterances) == 3
    for utterance in utterances:
        for task in TASKS:
            assert f"  {task} " in utterance
        assert "failed" not in utterance
    assert "Stopped." in (folder / "serve.log").read_text()


def test_outside_a_terminal_the_demo_says_how_to_start_the_server_again(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    start, *commands = next_commands(printed)
    assert start == f"espalier serve --repository {folder}/repository"
    assert len(commands) == 5
    assert all("localhost:800" in command for command in commands)


def test_in_a_terminal_the_server_answers_what_the_demo_recommends_until_ctrl_c(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    with demo_in_a_terminal(demo[0], tmp_path) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        printed = ""
        for line in terminal.stdout:
            printed += line.replace("\r", "")
            if "Ctrl-C stops the server." in line:
                break
        commands = next_commands(printed)
        assert len(commands) == 5, printed
        environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        for command in commands:
            done = subprocess.run(
                command, shell=True, env=environment, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            assert "intent" in done.stdout, command

        terminal.stdin.write("\x03")
        terminal.stdin.flush()
        assert terminal.wait(60) == 0
        assert "Stopped." in (tmp_path / "demo" / "serve.log").read_text()
