"""The command-line program, run on a task folder and the tiny encoder."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def mood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task folder of 60 rows, whose label depends on one word."""
    folder = tmp_path_factory.mktemp("data") / "mood"
    folder.mkdir()
    places = ("paris", "rome", "me", "seven", "jazz")
    texts = [(f"play {word} in {place}", word) for word in ("jazz", "rock") for place in places]
    rows = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in texts * 6)
    for split in ("train", "dev"):
        (folder / f"{split}.jsonl").write_text(rows)
    return folder


@pytest.fixture
def start() -> Iterator[Start]:
    """start(*arguments) runs `espalier` without waiting. Processes still running after the test are killed."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-c", "from espalier import main; main()", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
