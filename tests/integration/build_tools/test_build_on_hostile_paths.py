"""The program, from rows to a repository, on paths that mean something to a shell, a URL or a glob pattern."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = "a (1) 'b' \"c\" & $HOME; é 日本 `x` $(x) *?[x]#%25 {y} ~"
ROWS = [{"text": text, "label": text[:4]} for text in ("wake me at seven", "play jazz in paris", "play rock", "wake me")]
ROOT = Path(__file__).resolve().parents[3]


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


def _espalier(place: Path, current: Path, *arguments: str) -> str:
    program = "import espalier; espalier.main()"
    dropped = ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "CI")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=current,
        env=environment | {"HOME": str(place / "home"), "PYTHONPATH": str(ROOT), "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_checkpoint_trained_in_one_folder_is_built_from_another_and_no_identifier_is_written(place):
    options = ["--task", "intent", "--epochs", "1", "--max-length", "32", "-L", "1", "--output", "out/intent"]
    _espalier(place, place, "finetune", "data", "--encoder", "encoders/tiny", *options)
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()

    _espalier(place, elsewhere, "build", "../out/intent", "--repository", "repository")

    assert (elsewhere / "repository" / "registry.json").is_file()
    assert "is as it was built" in _espalier(place, elsewhere, "verify", "repository")
    written = {path.relative_to(place / "home").parts[:2] for path in (place / "home").rglob("*") if path.is_file()}
    assert written <= {(".cache", "espalier"), (".cache", "matplotlib"), (".config", "matplotlib")}


def test_a_search_keeps_its_trials_in_its_own_folder(place):
    before = {path.name for path in place.parent.iterdir()}
    options = ["--task", "intent", "--epochs", "1", "--max-length", "32", "-L", "1", "-l", "1", "--output", "search?x#y%25"]

    _espalier(place, place, "search", "data", "--encoder", "encoders/tiny", *options)

    assert (place / "search?x#y%25" / "trials.db").is_file()
    assert {path.name for path in place.parent.iterdir()} == before
    assert not list(place.parent.rglob("search"))
