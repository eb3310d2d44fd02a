import json
import os

import pytest
from router.registry import RegistryFile, parse

from build_tools.repository.registry import (
    CanaryEntry,
    Origin,
    Registry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
    write_registry,
)
from training.kinds import Kind


def _content(live=1, canary=None, shadow=None):
    shared = {"model": "branch_intent", "trunk": "trunk"}
    versions = {
        "1": {"kind": "classification", "labels": ["a", "b"], "tap": 2, "max_length": 32, **shared},
        "2": {"kind": "pair_classification", "labels": ["a", "c"], "tap": 3, "max_length": 64, **shared},
    }
    task = {"live": live, "canary": canary, "shadow": shadow, "versions": versions}
    return {"trunks": {"trunk": {"tokenizers": {"tokenizer": 64}}}, "tasks": {"intent": task}, "retired": {}}


CANARY = {"version": 2, "share": 0.25, "max_error_rate": 0.1, "max_milliseconds": 50, "minimum": 10}
TEXTS = [f"text {number}" for number in range(2000)]


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "registry.json"
    file.write_text(json.dumps(_content()))
    return file


def _replace(file, content):
    """As build_tools does it: a new file renamed over the old one."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    stat = file.stat()
    os.utime(new, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # within one tick of the clock
    new.replace(file)
    assert file.stat().st_mtime_ns == stat.st_mtime_ns


def test_the_live_version_decides_kind_labels_tap_and_length():
    first = parse(_content(live=1)).tasks["intent"].live
    second = parse(_content(live=2)).tasks["intent"].live

    assert (first.number, first.kind, first.labels, first.tap, first.max_length) == (
        1,
        "classification",
        ("a", "b"),
        2,
        32,
    )
    assert (second.number, second.kind, second.labels, second.tap, second.max_length) == (
        2,
        "pair_classification",
        ("a", "c"),
        3,
        64,
    )
    assert (first.is_pair, second.is_pair) == (False, True)
    assert second.model == "branch_intent"


def test_a_replaced_registry_is_read_even_within_the_same_tick_of_the_clock(file):
    registry = RegistryFile(file)
    assert registry.read().tasks["intent"].live.number == 1

    _replace(file, _content(live=2))

    assert registry.read().tasks["intent"].live.number == 2


def test_a_registry_written_in_place_is_read_again(file):
    registry = RegistryFile(file)
    registry.read()
    stat = file.stat()

    file.write_text(json.dumps(_content(live=2)))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

    assert registry.read().tasks["intent"].live.number == 2


def test_an_unchanged_registry_is_not_parsed_again(file):
    registry = RegistryFile(file)

    assert registry.read() is registry.read()


def test_a_replace_while_the_file_is_first_read_is_seen(file, monkeypatch):
    read_text = type(file).read_text

    def read_then_replace(path, *arguments, **options):
        text = read_text(path, *arguments, **options)
        if path == file:
            monkeypatch.undo()
            _replace(file, _content(live=2))
        return text

    monkeypatch.setattr(type(file), "read_text", read_then_replace)

    assert RegistryFile(file).read().tasks["intent"].live.number == 2


def test_a_damaged_registry_leaves_the_last_state_until_it_is_mended(file, caplog):
    registry = RegistryFile(file)
    before = registry.read()
    new = file.with_suffix(".new")
    new.write_text("{")
    new.replace(file)
    assert [registry.read() for _ in range(3)] == [before] * 3
    assert len(caplog.records) == 1, "said once, not for every request"
    assert "cannot be read" in caplog.text

    _replace(file, _content(live=2))

    assert registry.read().tasks["intent"].live.number == 2


@pytest.mark.parametrize("kind", list(Kind))
def test_the_router_reads_what_build_tools_writes(tmp_path, kind):
    origin = Origin(
        checkpoint="c", data="rows", data_sha256="d", published_at="2026-01-02T03:04:05Z", published_by="somebody"
    )
    entry = VersionEntry(
        model="branch_task.2", trunk="trunk.2", kind=kind, labels=["ä", "b"], tap=3, max_length=48, origin=origin
    )
    canary = CanaryEntry(version=8, share=0.5, max_error_rate=0.1, max_milliseconds=50, minimum=10)
    trunk = TrunkEntry(
        encoder="minilm", config={}, taps=[3], fingerprints=["f"] * 4, tokenizers={"tokenizer_trunk.2_48": 48}
    )
    task = TaskEntry(live=7, canary=canary, versions={"7": entry, "8": entry})
    write_registry(tmp_path, Registry(runtime="openvino", trunks={"trunk.2": trunk}, tasks={"task": task}))

    registry = RegistryFile(tmp_path / "registry.json").read()

    version = registry.tasks["task"].live
    assert (version.task, version.number, version.kind) == ("task", 7, kind.value)
    assert (version.labels, version.tap, version.max_length) == (("ä", "b"), 3, 48)
    assert (version.model, version.trunk) == ("branch_task.2", "trunk.2")
    assert registry.tokenizers == {"trunk.2": "tokenizer_trunk.2_48"}
    assert version.is_pair == kind.is_pair
    read = registry.tasks["task"].canary
    assert (read.version.number, read.share, read.max_error_rate, read.max_milliseconds, read.minimum) == (
        8,
        0.5,
        0.1,
        50,
        10,
    )


def test_a_canary_answers_for_its_share_of_the_texts_and_always_for_the_same_ones():
    registry = parse(_content(canary=CANARY))

    versions = [registry.version_for("intent", text, None).number for text in TEXTS]

    assert 0.22 < versions.count(2) / len(TEXTS) < 0.28
    assert versions == [parse(_content(canary=CANARY)).version_for("intent", text, None).number for text in TEXTS]


def test_a_canary_that_reads_one_text_answers_for_it_whatever_pair_comes_with_it():
    content = _content(canary=CANARY | {"version": 1})
    content["tasks"]["intent"]["live"] = 2
    registry = parse(content)

    for text in TEXTS[:100]:
        versions = {registry.version_for("intent", text, pair).number for pair in (None, "x", "y")}
        assert len(versions) == 1


def test_more_texts_come_to_a_canary_as_its_share_grows_and_none_goes_back():
    few, many = (parse(_content(canary=CANARY | {"share": share})) for share in (0.1, 0.6))

    with_few = {text for text in TEXTS if few.version_for("intent", text, None).number == 2}
    with_many = {text for text in TEXTS if many.version_for("intent", text, None).number == 2}
    assert with_few < with_many
    everything = parse(_content(canary=CANARY | {"share": 1}))
    assert all(everything.version_for("intent", text, None).number == 2 for text in TEXTS)


def test_a_shadow_never_answers():
    task = parse(_content(shadow=2)).tasks["intent"]

    assert task.shadow.number == 2
    assert all(task.version_for(text, None) is task.live for text in TEXTS[:100])


def test_a_canary_that_was_dropped_stays_so_whatever_else_is_written(file):
    _replace(file, _content(canary=CANARY))
    registry = RegistryFile(file)
    version = registry.read().tasks["intent"].canary.version

    assert registry.drop_canary(version)
    assert registry.read().tasks["intent"].canary is None

    _replace(file, _content(canary=CANARY | {"share": 1}))
    assert registry.read().tasks["intent"].canary is None
    assert not registry.drop_canary(version), "it was withdrawn already"
