import json
import os

import pytest
from router.registry import RegistryFile, parse

from build_tools.registry import Registry, TaskEntry, TrunkEntry, VersionEntry, write_registry
from training.kinds import Kind


def _content(live=1):
    versions = {
        "1": {"kind": "classification", "labels": ["a", "b"], "tap": 2, "max_length": 32},
        "2": {"kind": "pair_classification", "labels": ["a", "c"], "tap": 3, "max_length": 64},
    }
    return {"tasks": {"intent": {"live": live, "versions": versions}}}


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
    first = parse(_content(live=1)).tasks["intent"]
    second = parse(_content(live=2)).tasks["intent"]

    assert (first.version, first.kind, first.labels, first.tap, first.max_length) == (
        1,
        "classification",
        ("a", "b"),
        2,
        32,
    )
    assert (second.version, second.kind, second.labels, second.tap, second.max_length) == (
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
    assert registry.read().tasks["intent"].version == 1

    _replace(file, _content(live=2))

    assert registry.read().tasks["intent"].version == 2


def test_a_registry_written_in_place_is_read_again(file):
    registry = RegistryFile(file)
    registry.read()
    stat = file.stat()

    file.write_text(json.dumps(_content(live=2)))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

    assert registry.read().tasks["intent"].version == 2


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

    assert RegistryFile(file).read().tasks["intent"].version == 2


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

    assert registry.read().tasks["intent"].version == 2


@pytest.mark.parametrize("kind", list(Kind))
def test_the_router_reads_what_build_tools_writes(tmp_path, kind):
    entry = VersionEntry(kind=kind, labels=["ä", "b"], tap=3, max_length=48)
    trunk = TrunkEntry(encoder="minilm", taps=[3], fingerprints=["f"] * 4)
    write_registry(
        tmp_path,
        Registry(runtime="openvino", trunk=trunk, tasks={"task": TaskEntry(live=7, versions={"7": entry})}),
    )

    branch = RegistryFile(tmp_path / "registry.json").read().tasks["task"]

    assert (branch.task, branch.version, branch.kind) == ("task", 7, kind.value)
    assert (branch.labels, branch.tap, branch.max_length) == (("ä", "b"), 3, 48)
    assert branch.is_pair == kind.is_pair
