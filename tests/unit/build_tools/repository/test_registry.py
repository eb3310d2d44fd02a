import getpass
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.registry import (
    REGISTRY,
    CanaryEntry,
    CanaryTerms,
    Origin,
    Registry,
    RetiredEntry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
    check_versions,
    read_registry,
    this_user,
    version_entry,
    write_registry,
)
from training.kinds import Kind

ORIGIN = Origin(
    checkpoint="c", data="rows", data_sha256="d", published_at="2026-01-02T03:04:05Z", published_by="somebody"
)


def _version(labels=("a", "b")):
    return VersionEntry(
        model="branch_intent",
        trunk="trunk",
        kind=Kind.CLASSIFICATION,
        labels=list(labels),
        tap=2,
        max_length=16,
        origin=ORIGIN,
    )


def _registry(live=1, labels=("a", "b"), **candidate):
    versions = {number: _version(labels) for number in ("1", "2", "3")}
    return Registry(
        runtime="openvino",
        trunks={
            "trunk": TrunkEntry(
                encoder="tiny",
                config={"hidden_size": 16},
                taps=[2],
                fingerprints=["f0", "f1", "f2"],
                tokenizers={"tokenizer": 16, "tokenizer_8": 8},
            )
        },
        tasks={"intent": TaskEntry(live=live, versions=versions, **candidate)},
    )


def _canary(share=0.1):
    return CanaryEntry(version=2, share=share, max_error_rate=0.01, max_milliseconds=100, minimum=50)


def test_what_is_written_is_read_back(tmp_path):
    registry = _registry(labels=("größe", "\U0001f600"), canary=_canary(), earlier=[3])

    write_registry(tmp_path, registry)

    assert read_registry(tmp_path) == registry


def test_the_file_is_json_whose_kinds_are_the_words_that_the_router_knows(tmp_path):
    write_registry(tmp_path, _registry(labels=("größe", "b"), canary=_canary()))

    text = (tmp_path / REGISTRY).read_text(encoding="utf-8")
    assert "größe" in text  # for a reader's eyes, not as \u escapes
    content = json.loads(text)
    assert content["format_version"] == 3
    task = content["tasks"]["intent"]
    assert (task["live"], task["shadow"], task["canary"]["version"], task["canary"]["share"]) == (1, None, 2, 0.1)
    assert task["versions"]["1"] == {
        "model": "branch_intent",
        "trunk": "trunk",
        "kind": "classification",
        "labels": ["größe", "b"],
        "tap": 2,
        "max_length": 16,
        "precision": "fp32",
        "origin": ORIGIN.model_dump(mode="json"),
    }


def _seconds_ago(seconds):
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _task(**given):
    return _registry(**given).tasks["intent"]


def test_live_previous_and_canary_are_what_triton_has_to_hold():
    assert _task(live=1).wanted == [1]
    assert _task(live=3, earlier=[1, 2]).wanted == [2, 3]
    assert _task(live=3, earlier=[1], canary=_canary()).wanted == [1, 2, 3]
    assert _task(live=3, shadow=2).wanted == [2, 3]


def test_with_them_it_holds_for_a_while_what_was_asked_until_lately():
    assert _task(live=3, leaving={"1": _seconds_ago(9), "2": _seconds_ago(11)}).held == [1, 3]
    assert _task(live=3, earlier=[2], leaving={"2": _seconds_ago(1)}).held == [2, 3]
    assert _task(live=3).held == [3]


def test_what_is_live_previous_and_candidate_is_read_off_an_entry():
    entry = _task(live=3, earlier=[2, 1], shadow=2)

    assert (entry.live_version, entry.previous, entry.candidate) == (entry.versions["3"], 1, 2)
    assert (_task(live=3).previous, _task(live=3).candidate) == (None, None)
    assert _task(live=3, canary=_canary()).candidate == 2


def test_a_retired_task_s_models_leave_when_nothing_is_in_flight_any_more():
    gone = {"version": 3, "models": ["branch_mood"], "trunks": ["trunk"]}

    assert RetiredEntry(since=_seconds_ago(9), **gone).is_leaving
    assert not RetiredEntry(since=_seconds_ago(11), **gone).is_leaving


def test_a_version_s_tokenizer_is_the_one_that_cuts_where_it_wants_it():
    trunk = _registry().trunks["trunk"]

    assert trunk.tokenizer_for(_version()) == "tokenizer"
    assert trunk.tokenizer_for(_version().model_copy(update={"max_length": 8})) == "tokenizer_8"


@pytest.mark.parametrize("given", [{"live": 4}, {"earlier": [4]}, {"shadow": 4}, {"leaving": {"4": _seconds_ago(1)}}])
def test_a_version_that_is_not_there_cannot_be_named(given):
    with pytest.raises(ValidationError, match="version 4 is named but not among the versions"):
        _registry(**given)


@pytest.mark.parametrize("given", [{"shadow": 2}, {"canary": "2"}])
def test_a_version_is_not_live_and_candidate_at_once(given):
    given = {"canary": _canary()} if "canary" in given else given

    with pytest.raises(ValidationError, match="version 2 is live and a candidate at once"):
        _registry(live=2, **given)


def test_one_version_at_a_time_is_candidate():
    with pytest.raises(ValidationError, match="one candidate at a time"):
        _registry(canary=_canary(), shadow=3)


def test_writing_replaces_the_file_and_does_not_write_into_the_one_that_a_router_is_reading(tmp_path):
    write_registry(tmp_path, _registry(live=1))
    inode = (tmp_path / REGISTRY).stat().st_ino
    with (tmp_path / REGISTRY).open(encoding="utf-8") as opened_before:
        write_registry(tmp_path, _registry(live=2))
        assert json.load(opened_before)["tasks"]["intent"]["live"] == 1

    assert (tmp_path / REGISTRY).stat().st_ino != inode
    assert read_registry(tmp_path).tasks["intent"].live == 2
    assert [path.name for path in tmp_path.iterdir()] == [REGISTRY]


def test_a_reader_never_sees_a_part_of_a_registry(tmp_path):
    long = _registry(labels=tuple(f"label {number}" for number in range(2000)))
    write_registry(tmp_path, long)
    done = threading.Event()

    def write() -> None:
        for live in (2, 1) * 10:
            write_registry(tmp_path, long.model_copy(update={"tasks": _registry(live=live).tasks}))
            write_registry(tmp_path, long)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reads = 0
        while not done.is_set() or not reads:
            json.loads((tmp_path / REGISTRY).read_bytes())
            reads += 1
    finally:
        writer.join()


def test_a_replace_that_fails_leaves_the_old_registry(tmp_path, monkeypatch):
    write_registry(tmp_path, _registry(live=1))

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_registry(tmp_path, _registry(live=2))

    assert read_registry(tmp_path).tasks["intent"].live == 1


def test_another_user_may_read_the_file(tmp_path):
    write_registry(tmp_path, _registry())

    assert (tmp_path / REGISTRY).stat().st_mode & 0o777 == 0o644


def test_a_repository_without_a_registry_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BuildError, match=r"holds no registry\.json: run espalier build first"):
        read_registry(tmp_path)


def test_a_version_that_is_named_and_not_there_is_told(tmp_path):
    registry = _registry()
    for number in registry.tasks["intent"].versions:
        (tmp_path / "branch_intent" / number).mkdir(parents=True)
    check_versions(tmp_path, registry)
    missing = next(tmp_path.glob("branch_intent/*"))
    missing.rmdir()

    with pytest.raises(BuildError, match=f"names version {missing.name} of intent, but {missing} is missing"):
        check_versions(tmp_path, registry)


def test_a_misspelt_field_is_refused_and_not_dropped(tmp_path):
    write_registry(tmp_path, _registry())
    content = json.loads((tmp_path / REGISTRY).read_text())
    content["tasks"]["intent"]["lives"] = 2
    (tmp_path / REGISTRY).write_text(json.dumps(content))

    with pytest.raises(BuildError, match=r"damaged \(tasks.intent.lives: "):
        read_registry(tmp_path)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (1, r"damaged \(format_version: "),
        (2, "run espalier upgrade "),
        (4, "made by a later release"),
        ("3", "damaged"),
    ],
)
def test_a_repository_of_another_format_is_told_and_not_guessed_at(tmp_path, version, said):
    write_registry(tmp_path, _registry())
    content = json.loads((tmp_path / REGISTRY).read_text()) | {"format_version": version}
    (tmp_path / REGISTRY).write_text(json.dumps(content))

    with pytest.raises(BuildError, match=said):
        read_registry(tmp_path)


def test_the_command_that_is_advised_takes_a_folder_with_a_blank(tmp_path):
    folder = tmp_path / "my models"
    folder.mkdir()
    (folder / REGISTRY).write_text('{"format_version": 2}')

    with pytest.raises(BuildError) as refused:
        read_registry(folder)

    assert str(refused.value).endswith(f"run espalier upgrade '{folder}'.")


def test_a_user_without_a_name_is_told_by_number(monkeypatch):
    def fail():
        raise OSError("no such user")

    assert this_user() == getpass.getuser()
    monkeypatch.setattr(getpass, "getuser", fail)
    assert this_user() == str(os.getuid())


@pytest.mark.parametrize("given", [{"max_error_rate": 1.1}, {"max_milliseconds": 0}, {"minimum": 0}])
def test_bounds_of_a_canary_that_make_no_sense_are_refused(given):
    with pytest.raises(ValidationError, match=next(iter(given))):
        CanaryTerms(share=0.1, **given)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_canary_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValidationError, match="share"):
        _canary(share)


def test_a_version_keeps_what_the_router_needs_of_a_checkpoint_and_where_it_comes_from(make_record):
    record = make_record(Kind.TAGGING, tap=1, max_length=24, sha256="c")

    entry = version_entry(record, "branch_intent.2", "trunk", Precision.INT8)

    assert (entry.model, entry.trunk, entry.precision) == ("branch_intent.2", "trunk", "int8")
    assert (entry.kind, entry.labels, entry.tap, entry.max_length) == (Kind.TAGGING, ["O", "B-x", "I-x"], 1, 24)
    assert (entry.origin.checkpoint, entry.origin.data) == ("c", "none")
    assert entry.origin.published_by == getpass.getuser()
