"""The program, from rows to a repository, on paths that mean something to a shell, a URL or a glob pattern."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from child_process import child_process

from clients import Client

HOSTILE = "a (1) 'b' \"c\" & $HOME; é 日本 `x` $(x) *?[x]#%25 {y} ~"
ROWS = [
    {"text": text, "label": text[:4]} for text in ("wake me at seven", "play jazz in paris", "play rock", "wake me")
]
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Path:
    """A folder with data, an encoder, and a fresh home."""
    place = tmp_path_factory.mktemp("place") / HOSTILE
    shutil.copytree(encoder_folder, place / "encoders" / "tiny")
    (place / "home").mkdir()
    (place / "data").mkdir()
    for split in ("train", "dev"):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS)
        (place / "data" / f"{split}.jsonl").write_text(lines)
    return place


def _environment(place: Path) -> dict[str, str]:
    dropped = ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "CI")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"HOME": str(place / "home"), "PYTHONPATH": str(ROOT), "TMPDIR": str(place)}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-c", "import espalier; espalier.main()", *arguments]


def _espalier(place: Path, current: Path, *arguments: str) -> str:
    done = subprocess.run(
        _command(*arguments), cwd=current, env=_environment(place), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@contextmanager
def _served(place: Path, current: Path, repository: str) -> Iterator[tuple[str, str]]:
    """Runs `espalier serve` in the folder `current`, and yields the gRPC and the HTTP address."""
    ports = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]
    command = _command("serve", "--repository", repository, *ports, "--log-file", "triton.log")
    with child_process(
        command, cwd=current, env=_environment(place), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            shown = ""
            while not shown.endswith("Ctrl-C stops.\n"):
                line = process.stdout.readline()
                assert line, f"it ended after saying {shown!r}"
                shown += line
            yield re.search(r"gRPC +(\S+)", shown)[1], re.search(r"HTTP +(\S+)", shown)[1]
        finally:
            process.terminate()
            process.wait(60)


def test_a_checkpoint_trained_in_one_folder_is_built_and_served_from_another_and_no_identifier_is_written(place):
    options = ["--task", "intent", "--epochs", "1", "--max-length", "32", "-L", "1", "--output", "out/intent"]
    _espalier(place, place, "finetune", "data", "--encoder", "encoders/tiny", *options)
    elsewhere, outside = place / "elsewhere", place / "outside"
    elsewhere.mkdir()
    outside.mkdir()

    _espalier(place, elsewhere, "build", "../out/intent", "--repository", "repository")

    assert "is as it was built" in _espalier(place, elsewhere, "verify", "repository")
    # Each would be imported in place of ours or of Python's by every model process.
    for module in ("model", "text_tokenizer", "re", "json", "tokenizers", "numpy"):
        (outside / f"{module}.py").write_text(f"open({str(elsewhere / 'found')!r}, 'a').write(__file__)\n")
    with _served(place, outside, "../elsewhere/repository") as (grpc, http):
        for address in (grpc, http):
            with Client(address) as client:
                assert client.predict("play jazz")["intent"].label in ("play", "wake")
        said = _espalier(place, elsewhere, "publish", "../out/intent", "--repository", "repository", "--url", grpc)
        assert "version 2 is live" in said
        with Client(grpc) as client:
            assert client.predict("play jazz")["intent"].label in ("play", "wake")
    assert "Started HTTPService" in (outside / "triton.log").read_text()
    assert not (elsewhere / "found").exists()
    written = {path.relative_to(place / "home").parts[:2] for path in (place / "home").rglob("*") if path.is_file()}
    assert written <= {(".cache", "espalier"), (".cache", "matplotlib"), (".config", "matplotlib")}


def test_a_search_keeps_its_trials_in_its_own_folder_and_goes_on_from_another_one(place):
    before = {path.name for path in place.parent.iterdir()}
    options = ["--task", "intent", "--epochs", "1", "--max-length", "32", "-L", "1", "-l", "1"]

    _espalier(place, place, "search", "data", "--encoder", "encoders/tiny", *options, "--output", "search?x#y%25")
    result = json.loads((place / "search?x#y%25" / "result.json").read_text())
    again = ["search", ".", "--encoder", "../encoders/tiny", *options, "--output", "../search?x#y%25"]
    said = _espalier(place, place / "data", *again)

    assert (place / "search?x#y%25" / "trials.db").is_file()
    assert {path.name for path in place.parent.iterdir()} == before
    assert not list(place.parent.rglob("search"))
    assert (result["data"], result["encoder"]) == (str(place / "data"), str(place / "encoders" / "tiny"))
    assert "of 1)" not in said  # no trial was trained again
