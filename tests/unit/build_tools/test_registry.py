import json
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from build_tools.errors import BuildError
from build_tools.precision import Precision
from build_tools.registry import (
    FILE,
    CanaryEntry,
    Registry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
    check_versions,
    read_registry,
    version_entry,
    write_registry,
)
from training.kinds import Kind


def _registry(live=1, labels=("a", "b")):
    versions = {
        number: VersionEntry(kind=Kind.CLASSIFICATION, labels=list(labels), tap=2, max_length=16)
        for number in ("1", "2")
    }
    return Registry(
        runtime="openvino",
        trunk=TrunkEntry(encoder="tiny", taps=[2], fingerprints=["f0", "f1", "f2"]),
        tasks={"intent": TaskEntry(live=live, canary=CanaryEntry(version=2, share=0.1), versions=versions)},
    )


def test_what_is_written_is_read_back(tmp_path):
    registry = _registry(labels=("größe", "\U0001f600"))

    write_registry(tmp_path, registry)

    assert read_registry(tmp_path) == registry


def test_the_file_is_json_whose_kinds_are_the_words_that_the_router_knows(tmp_path):
    write_registry(tmp_path, _registry(labels=("größe", "b")))

    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "größe" in text  # for a reader's eyes, not as \u escapes
    content = json.loads(text)
    assert content["format_version"] == 1
    assert content["tasks"]["intent"] == {
        "live": 1,
        "canary": {"version": 2, "share": 0.1},
        "versions": {
            number: {
                "kind": "classification",
                "labels": ["größe", "b"],
                "tap": 2,
                "max_length": 16,
                "precision": "fp32",
            }
            for number in ("1", "2")
        },
    }


def test_writing_replaces_the_file_and_does_not_write_into_the_one_that_a_router_is_reading(tmp_path):
    write_registry(tmp_path, _registry(live=1))
    inode = (tmp_path / FILE).stat().st_ino
    with (tmp_path / FILE).open(encoding="utf-8") as opened_before:
        write_registry(tmp_path, _registry(live=2))
        assert json.load(opened_before)["tasks"]["intent"]["live"] == 1

    assert (tmp_path / FILE).stat().st_ino != inode
    assert read_registry(tmp_path).tasks["intent"].live == 2
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


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
            json.loads((tmp_path / FILE).read_bytes())
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

    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o644


def test_a_repository_without_a_registry_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BuildError, match=r"holds no registry\.json: run espalier build first"):
        read_registry(tmp_path)


def test_a_version_that_is_named_and_not_there_is_told(tmp_path):
    registry = _registry()
    for task, entry in registry.tasks.items():
        for version in entry.versions:
            (tmp_path / f"branch_{task}" / version).mkdir(parents=True)
    check_versions(tmp_path, registry)
    missing = next(tmp_path.glob("branch_intent/*"))
    missing.rmdir()

    with pytest.raises(BuildError, match=f"names version {missing.name} of intent, but {missing} is missing"):
        check_versions(tmp_path, registry)


def test_a_misspelt_field_is_refused_and_not_dropped(tmp_path):
    write_registry(tmp_path, _registry())
    content = json.loads((tmp_path / FILE).read_text())
    content["tasks"]["intent"]["lives"] = 2
    (tmp_path / FILE).write_text(json.dumps(content))

    with pytest.raises(BuildError, match=r"damaged \(tasks.intent.lives: "):
        read_registry(tmp_path)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_canary_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValidationError, match="share"):
        CanaryEntry(version=2, share=share)


def test_a_version_keeps_what_the_router_needs_of_a_checkpoint(make_record):
    record = make_record(Kind.TAGGING, tap=1, max_length=24)

    kept = {"kind": Kind.TAGGING, "labels": ["O", "B-x", "I-x"], "tap": 1, "max_length": 24}
    assert version_entry(record) == VersionEntry(**kept, precision="fp32")
    assert version_entry(record, Precision.INT8) == VersionEntry(**kept, precision="int8")


def test_a_registry_from_before_there_were_precisions_is_read_as_fp32(tmp_path):
    write_registry(tmp_path, _registry())
    content = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    for entry in (content["trunk"], *content["tasks"]["intent"]["versions"].values()):
        assert entry.pop("precision") == "fp32"
    (tmp_path / FILE).write_text(json.dumps(content), encoding="utf-8")

    assert read_registry(tmp_path) == _registry()
