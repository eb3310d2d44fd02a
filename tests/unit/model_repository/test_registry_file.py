import copy
import json
import os
import random

import pytest
from file_damages import CONTENTS, changed
from model_folders import add_fused_folder, add_model_folders
from router import registry_file
from router.registry_file import RegistryFile
from router.unavailable import UnavailableError

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

CANARY = {"version": 2, "share": 0.25, "max_error_rate": 0.1, "max_milliseconds": 50, "minimum": 10}


def _content(live=1, canary=None, shadow=None):
    shared = {"model": "branch_intent", "trunk": "trunk"}
    versions = {
        "1": {"kind": "classification", "labels": ["a", "b"], "tap": 2, "max_length": 32, **shared},
        "2": {"kind": "pair_classification", "labels": ["a", "c"], "tap": 3, "max_length": 64, **shared},
    }
    task = {"live": live, "canary": canary, "shadow": shadow, "versions": versions}
    trunk = {"tokenizers": {"tokenizer": 64, "tokenizer_32": 32}}
    return {"format_version": 3, "trunks": {"trunk": trunk}, "tasks": {"intent": task}, "retired": {}}


class Metrics:
    def __init__(self):
        self.generation = None
        self.is_rejected = False
        self.rejections = 0

    def set_registry(self, generation, is_rejected):
        self.generation, self.is_rejected = generation, is_rejected

    def count_rejection(self):
        self.rejections += 1


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def clock(monkeypatch):
    clock = type("Clock", (), {"now": 100.0})
    monkeypatch.setattr(registry_file, "time", type("Time", (), {"monotonic": staticmethod(lambda: clock.now)}))
    return clock


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "registry.json"
    add_model_folders(tmp_path, _content())
    add_fused_folder(tmp_path / "fused" / "2", {"intent": 2, "gone": 4}, taps=[2, 3])
    file.write_text(json.dumps(_content()))
    return file


@pytest.fixture(autouse=True)
def _no_folder_of_the_servers_own(monkeypatch):
    monkeypatch.delenv("TMPDIR", raising=False)


def _of(file, metrics=None, is_loaded=lambda *_: True):
    return RegistryFile(file.parent, metrics or Metrics(), is_loaded)


def _put(file, content):
    """Replaces the file by this content, as bytes or JSON."""
    new = file.with_suffix(".new")
    new.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    new.replace(file)


def _replace(file, content):
    """As build_tools does it: a new file renamed over the old one."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    stat = file.stat()
    os.utime(new, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # within one tick of the clock
    new.replace(file)
    assert file.stat().st_mtime_ns == stat.st_mtime_ns


def test_a_replaced_registry_is_read_even_within_the_same_tick_of_the_clock(file):
    registry = _of(file)
    assert registry.read().tasks["intent"].live.number == 1

    _replace(file, _content(live=2))

    assert registry.read().tasks["intent"].live.number == 2


def test_a_registry_written_in_place_is_read_again(file):
    registry = _of(file)
    registry.read()
    stat = file.stat()

    file.write_text(json.dumps(_content(live=2)))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

    assert registry.read().tasks["intent"].live.number == 2


def test_an_unchanged_registry_is_not_parsed_again(file):
    registry = _of(file)

    assert registry.read() is registry.read()


def test_a_replace_while_the_file_is_first_read_is_seen(file, monkeypatch):
    read_bytes = type(file).read_bytes

    def read_then_replace(path, *arguments, **options):
        content = read_bytes(path, *arguments, **options)
        if path == file:
            monkeypatch.undo()
            _replace(file, _content(live=2))
        return content

    monkeypatch.setattr(type(file), "read_bytes", read_then_replace)

    assert _of(file).read().tasks["intent"].live.number == 2


def test_a_damaged_registry_leaves_the_last_state_until_it_is_mended(file, caplog):
    registry = _of(file)
    before = registry.read()
    new = file.with_suffix(".new")
    new.write_text("{")
    new.replace(file)
    assert [registry.read() for _ in range(3)] == [before] * 3
    assert len(caplog.records) == 1, "said once, not for every request"
    assert "JSONDecodeError" in caplog.text

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
    add_model_folders(tmp_path, json.loads((tmp_path / "registry.json").read_text()))

    registry = _of(tmp_path / "registry.json").read()

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


def test_a_canary_that_was_dropped_stays_so_whatever_else_is_written(file):
    _replace(file, _content(canary=CANARY))
    registry = _of(file)
    version = registry.read().tasks["intent"].canary.version

    assert registry.drop_canary(version)
    assert registry.read().tasks["intent"].canary is None

    _replace(file, _content(canary=CANARY | {"share": 1}))
    assert registry.read().tasks["intent"].canary is None
    assert not registry.drop_canary(version), "it was withdrawn already"


def _changed(content, *path, value):
    content = copy.deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


_VERSION = ("tasks", "intent", "versions", "1")
_FUSED = {"model": "fused", "version": 2, "taps": [2, 3], "tasks": {"intent": 1, "gone": 4}}


def _fused(**changes):
    """The content after a compaction."""
    return _changed(_content(), "trunks", "trunk", "fused", value=_FUSED | changes)


UNFIT = {
    "a missing fused graph": _fused(version=3),
    "a fused graph without a tap": _fused(taps=[2, 3, 4]),
    "a fused graph without a task": _fused(tasks={"intent": 1, "other": 1}),
    "a fused task with a label too many": _fused(tasks={"gone": 1})
    | {"tasks": _changed(_content(), *_VERSION, "labels", value=["a", "b", "c"])["tasks"]},
    "a wrong tap": _changed(_content(), *_VERSION, "tap", value=7),
    "a missing model": _changed(_content(), *_VERSION, "model", value="branch_gone"),
    "a missing version": _content(live=9),
    "a version that is missing on disk": _changed(
        _content(live=9), "tasks", "intent", "versions", "9", value=_content()["tasks"]["intent"]["versions"]["1"]
    ),
    "a label too many": _changed(_content(), *_VERSION, "labels", value=["a", "b", "c"]),
    "a missing tokenizer": _changed(_content(), "trunks", "trunk", "tokenizers", value={"gone": 32, "tokenizer": 64}),
    "a missing trunk": _changed(_content(), "trunks", "trunk.2", value={"tokenizers": {"tokenizer": 64}}),
    "no tasks": _changed(_content(), "tasks", value={}),
    "100,000 brackets": b"[" * 100_000,
    "an unknown format": _content() | {"format_version": 99},
}


@pytest.mark.parametrize("content", UNFIT.values(), ids=UNFIT.keys())
def test_what_cannot_be_served_whole_leaves_the_last_state_in_force_with_one_line_and_an_alarm(
    file, content, metrics, caplog, clock
):
    registry = _of(file, metrics)
    before = registry.read()
    _put(file, content)

    for _ in range(50):
        clock.now += 0.5
        assert registry.read() is before

    assert [record.levelname for record in caplog.records] == ["ERROR"], "said once, not for every request"
    assert "the last good one stays" in caplog.text
    assert (metrics.is_rejected, metrics.rejections) == (True, 1)

    _put(file, _content(live=2) | {"generation": 5})

    assert registry.read().tasks["intent"].live.number == 2
    assert (metrics.is_rejected, metrics.generation) == (False, 5)


@pytest.mark.parametrize("content", [*UNFIT.values(), None], ids=[*UNFIT, "no file"])
def test_a_start_without_a_good_registry_answers_unavailable_and_adopts_the_first_good_one(
    file, content, metrics, clock
):
    if content is None:
        file.unlink()
    else:
        _put(file, content)
    registry = _of(file, metrics)
    for _ in range(3):
        clock.now += 2
        with pytest.raises(UnavailableError, match="registry"):
            registry.read()
    assert metrics.is_rejected

    _put(file, _content())

    assert registry.read().tasks["intent"].live.number == 1
    assert not metrics.is_rejected


@pytest.mark.parametrize("is_asked_before", [True, False])
def test_a_process_that_was_not_asked_in_time_or_is_new_takes_the_last_good_registry_of_another_one(
    file, tmp_path_factory, monkeypatch, is_asked_before
):
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("of the server")))
    first, second = _of(file), _of(file)
    _put(file, _content(live=2))
    assert first.read().tasks["intent"].live.number == 2
    _put(file, b"[")
    assert first.read().tasks["intent"].live.number == 2

    late = second if is_asked_before else _of(file)

    assert late.read().tasks["intent"].live.number == 2
    _put(file, _content(live=1))
    assert late.read().tasks["intent"].live.number == 1


def test_a_model_that_comes_late_mends_a_rejected_registry_without_a_new_file(file, clock):
    registry = _of(file)
    content = _content(live=3)
    content["tasks"]["intent"]["versions"]["3"] = content["tasks"]["intent"]["versions"]["1"]
    _put(file, content)
    assert registry.read().tasks["intent"].live.number == 1

    (file.parent / "branch_intent" / "3").mkdir()
    clock.now += 2

    assert registry.read().tasks["intent"].live.number == 3


def test_a_version_that_triton_has_not_loaded_is_not_adopted_before_it_has(file, clock):
    loaded = set()
    asked = []

    def is_loaded(model, version):
        asked.append((model, version))
        return (model, version) in loaded

    registry = _of(file, is_loaded=is_loaded)
    assert asked == [], "Triton loads the router before the branches"
    _put(file, _content(live=2))
    assert registry.read().tasks["intent"].live.number == 1

    loaded.add(("branch_intent", 2))
    clock.now += 2

    assert registry.read().tasks["intent"].live.number == 2
    assert set(asked) == {("branch_intent", 2)}, "those in force are not asked about: one may be coming back just now"


def test_after_a_compaction_only_the_fused_graph_needs_to_be_loaded_and_before_a_way_back_what_it_held(file, clock):
    loaded = {("fused", 2)}
    registry = _of(file, is_loaded=lambda *model: model in loaded)
    _put(file, _fused() | {"generation": 2})
    assert registry.read().runs_in(registry.read().tasks["intent"].live) == ("fused", 2)

    _put(file, _content() | {"generation": 3})
    assert registry.read().generation == 2, "the branch model is not loaded any more"

    loaded.add(("branch_intent", 1))
    clock.now += 2
    assert registry.read().generation == 2, "nor is the trunk"

    loaded.add(("trunk", -1))
    clock.now += 2
    assert registry.read().generation == 3


def test_a_fused_graph_that_is_not_loaded_is_not_adopted(file):
    registry = _of(file, is_loaded=lambda *_: False)
    _put(file, _fused())

    assert registry.read().fused == {}


def test_whatever_replaces_the_file_its_last_state_stays_in_force_or_one_is_taken_that_can_be_served(file):
    add_model_folders(file.parent, _content())
    registry = _of(file)
    for content in CONTENTS.values():
        _put(file, content)
        assert set(registry.read().tasks) == {"intent"}
    for other in random.Random(0).sample(list(changed(_content(canary=CANARY))), 400):
        _put(file, other)
        taken = registry.read()
        assert taken.tasks
        for version in taken.versions:
            assert (file.parent / version.model / str(version.number)).is_dir()
            assert version.tap in (2, 3)
            assert version.trunk in taken.tokenizers
            assert len(version.labels) == 2 or version.kind == "pair_regression"
