import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from filelock import FileLock, Timeout
from model_folders import add_model_folders, no_metrics
from router.registry import Canary, Version
from router.registry_file import RegistryFile
from router.withdrawal import withdraw

from build_tools.repository.audit import last_withdrawals
from build_tools.repository.registry import (
    CanaryEntry,
    Origin,
    Registry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
    read_registry,
    write_registry,
)
from training.kinds import Kind

PATIENCE = 10.0  # seconds that no test ever waits, unless something hangs
CANARY = Canary(Version("intent", 2, "classification", ("ä", "b"), 2, 16, "branch_intent", "trunk"), 0.1, 0.1, 50, 10)
OTHER = replace(CANARY, version=replace(CANARY.version, task="slots"))


def _content():
    """Two tasks with a canary each, and fields that the router does not know."""
    version = {"kind": "classification", "labels": ["ä", "b"], "tap": 2, "max_length": 16, "unknown": [1, None]}
    version |= {"model": "branch_intent", "trunk": "trunk"}
    canary = {"version": 2, "share": 0.1, "max_error_rate": 0.1, "max_milliseconds": 50, "minimum": 10}
    task = {"live": 1, "earlier": [], "canary": canary, "shadow": None, "versions": {"1": version, "2": version}}
    return {
        "format_version": 2,
        "unknown": {"of": "a later format"},
        "trunks": {"trunk": {"tokenizers": {"tokenizer": 16}, "taps": [2]}},
        "retired": {},
        "tasks": {"slots": task, "intent": task | {"unknown": "too"}},
    }


def _read(repository):
    return json.loads((repository / "registry.json").read_text(encoding="utf-8"))


def _write(repository, content):
    staged = repository / "staged"
    staged.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    staged.replace(repository / "registry.json")


def _audit(repository):
    return [json.loads(line) for line in (repository / "audit.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture
def repository(tmp_path):
    _write(tmp_path, _content())
    return tmp_path


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_the_canary_is_taken_out_and_all_else_stays_as_it_was(repository):
    withdraw(repository, CANARY, "too slow")

    expected = _content()
    expected["tasks"]["intent"]["canary"] = None
    found = _read(repository)
    assert list(found["tasks"]["intent"].pop("leaving")) == ["2"], "batches in flight may still ask for it"
    assert found == expected
    assert list(_read(repository)["tasks"]) == ["slots", "intent"]
    assert "ä" in (repository / "registry.json").read_text(encoding="utf-8"), "people read the file"


def test_routers_notice_it(repository):
    add_model_folders(repository, _content())
    registry = RegistryFile(repository, no_metrics(), lambda *_: True)
    assert registry.read().tasks["intent"].canary is not None

    withdraw(repository, CANARY, "too slow")

    assert registry.read().tasks["intent"].canary is None
    assert registry.read().tasks["slots"].canary is not None


def test_the_build_tools_read_what_it_leaves(tmp_path):
    origin = Origin(
        checkpoint="c", data="rows", data_sha256="d", published_at="2026-01-02T03:04:05Z", published_by="somebody"
    )
    version = VersionEntry(
        model="branch_intent",
        trunk="trunk",
        kind=Kind.CLASSIFICATION,
        labels=["ä"],
        tap=2,
        max_length=16,
        origin=origin,
    )
    canary = CanaryEntry(version=2, share=0.1, max_error_rate=0.1, max_milliseconds=50, minimum=10)
    task = TaskEntry(live=1, canary=canary, versions={"1": version, "2": version})
    trunk = TrunkEntry(encoder="minilm", config={}, taps=[2], fingerprints=["f"] * 3, tokenizers={"tokenizer": 16})
    registry = Registry(runtime="openvino", trunks={"trunk": trunk}, tasks={"intent": task})
    write_registry(tmp_path, registry)
    written = (tmp_path / "registry.json").read_text(encoding="utf-8")

    withdraw(tmp_path, CANARY, "too slow")

    entry = read_registry(tmp_path).tasks["intent"]
    assert (entry.canary, entry.held) == (None, [1, 2])
    task.canary, task.leaving = None, entry.leaving
    registry.generation += 1
    assert read_registry(tmp_path) == registry
    write_registry(tmp_path, registry)
    left = (tmp_path / "registry.json").read_text(encoding="utf-8")
    assert left != written
    withdraw(tmp_path, CANARY, "again")
    assert (tmp_path / "registry.json").read_text(encoding="utf-8") == left


def test_the_audit_log_gets_one_line_more_that_says_why(repository):
    (repository / "audit.jsonl").write_text('{"action": "publish"}\n')

    withdraw(repository, CANARY, "größer als 50 ms")

    first, line = _audit(repository)
    assert first == {"action": "publish"}
    assert line.pop("at").endswith("+00:00")
    assert line == {"by": "router", "action": "withdraw", "task": "intent", "version": 2, "reason": "größer als 50 ms"}


@pytest.mark.parametrize("change", ["is gone", "another version", "the task is retired"])
def test_a_canary_that_is_gone_already_leaves_everything_as_it_is(repository, change):
    content = _content()
    if change == "the task is retired":
        del content["tasks"]["intent"]
    else:
        content["tasks"]["intent"]["canary"] = None if change == "is gone" else {"version": 3}
    _write(repository, content)
    before = (repository / "registry.json").stat()

    withdraw(repository, CANARY, "too slow")

    after = (repository / "registry.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not (repository / "audit.jsonl").exists()


def test_it_waits_for_whoever_changes_the_repository_and_keeps_that_change(repository, pool):
    with FileLock(repository / "repository.lock"):
        withdrawal = pool.submit(withdraw, repository, CANARY, "too slow")
        with pytest.raises(TimeoutError):
            withdrawal.result(0.2)
        content = _content()
        content["tasks"]["intent"]["earlier"] = [7]
        _write(repository, content)
    withdrawal.result(PATIENCE)

    intent = _read(repository)["tasks"]["intent"]
    assert (intent["canary"], intent["earlier"]) == (None, [7])


def test_whoever_changes_the_repository_waits_for_it(repository, pool, monkeypatch):
    writing, go_on = threading.Event(), threading.Event()

    def fsync(_):
        writing.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(os, "fsync", fsync)
    withdrawal = pool.submit(withdraw, repository, CANARY, "too slow")
    try:
        assert writing.wait(PATIENCE)
        with pytest.raises(Timeout):
            FileLock(repository / "repository.lock", timeout=0).acquire()
    finally:
        go_on.set()
    withdrawal.result(PATIENCE)
    with FileLock(repository / "repository.lock", timeout=0):
        assert _read(repository)["tasks"]["intent"]["canary"] is None


def test_many_at_once_withdraw_each_canary_once(repository, pool):
    list(pool.map(withdraw, [repository] * 16, [CANARY, OTHER] * 8, ["too slow"] * 16))

    assert [task["canary"] for task in _read(repository)["tasks"].values()] == [None, None]
    assert sorted(line["task"] for line in _audit(repository)) == ["intent", "slots"]


def test_nothing_that_is_not_of_a_repository_is_left_behind(repository):
    withdraw(repository, CANARY, "too slow")

    assert sorted(file.name for file in repository.iterdir()) == ["audit.jsonl", "registry.json", "repository.lock"]


@pytest.mark.parametrize("unwritable", ["repository.lock", "registry.json"])
def test_a_repository_that_cannot_be_read_or_written_raises_oserror_and_stays(repository, unwritable):
    (repository / unwritable).unlink(missing_ok=True)
    (repository / unwritable).mkdir()

    with pytest.raises(OSError, match=unwritable):
        withdraw(repository, CANARY, "too slow")

    assert not (repository / "audit.jsonl").exists()


def _full_disk(_):
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_registry_as_it_was(repository, monkeypatch):
    monkeypatch.setattr(os, "fsync", _full_disk)

    with pytest.raises(OSError, match="No space"):
        withdraw(repository, CANARY, "too slow")

    assert _read(repository) == _content()
    assert not (repository / "audit.jsonl").exists()


def test_what_could_not_be_written_is_removed(repository, monkeypatch):
    monkeypatch.setattr(os, "fsync", _full_disk)

    with pytest.raises(OSError, match="No space"):
        withdraw(repository, CANARY, "too slow")

    assert sorted(file.name for file in repository.iterdir()) == ["registry.json", "repository.lock"]


def test_a_line_that_a_full_disk_has_cut_does_not_hide_the_withdrawal(repository):
    """Else `espalier rollback` would not know of it, and undo the live version."""
    (repository / "audit.jsonl").write_text('{"action": "publish"}\n{"action": "promo')

    withdraw(repository, CANARY, "too slow")

    assert last_withdrawals(repository).get("intent")["reason"] == "too slow"
