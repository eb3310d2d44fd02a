import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.serving.gate.keys import KeyAccess
from build_tools.serving.gate.refusal import RefusedError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["keys", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_key_is_printed_alone_and_lets_its_client_in_and_the_file_does_not_hold_it(folder: Path) -> None:
    key = _run("add", "web", "--tasks", "slots,intent,slots", "--max-in-flight", "4").stdout.strip()

    caller = KeyAccess(folder / "keys.json").identify(f"Bearer {key}")
    assert (caller.name, caller.tasks, caller.max_in_flight) == ("web", {"intent", "slots"}, 4)
    assert key not in (folder / "keys.json").read_text()
    assert len(key) > 50


def test_list_shows_clients_and_no_hash() -> None:
    _run("add", "web", "--tasks", "intent")
    _run("add", "batch", "--max-in-flight", "2")

    assert [line.split() for line in _run("list").stdout.splitlines()] == [
        ["name", "tasks", "in", "flight"],
        ["web", "intent", "no", "bound"],
        ["batch", "all", "2"],
    ]
    assert json.loads(_run("list", "--json").stdout)[0] == {"name": "web", "tasks": ["intent"], "max_in_flight": None}


def test_a_removed_client_is_not_let_in_and_the_others_are(folder: Path) -> None:
    gone, kept = (_run("add", name).stdout.strip() for name in ("gone", "kept"))
    _run("remove", "gone")

    access = KeyAccess(folder / "keys.json")
    assert access.identify(f"Bearer {kept}").name == "kept"
    with pytest.raises(RefusedError):
        access.identify(f"Bearer {gone}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add", "web"], "has a key named web already"),
        (["add", "a b"], "'a b' cannot be the name of a key"),
        (["add", "control"], "cannot be the name of a key"),
        (["add", "x", "--tasks", "a/b"], "'a/b' cannot be"),
        (["remove", "nobody"], "has no key named 'nobody': it has web"),
        (["list", "--keys", "none.json"], "there is no file of keys none.json: make it with"),
        (["add", "x", "--keys", "none/keys.json"], "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(folder: Path, arguments: list[str], sentence: str) -> None:
    _run("add", "web")
    before = (folder / "keys.json").read_bytes()

    with pytest.raises(BuildError, match=sentence):
        _run(*arguments)

    assert (folder / "keys.json").read_bytes() == before
