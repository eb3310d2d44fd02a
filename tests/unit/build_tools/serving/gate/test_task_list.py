import json
from collections.abc import Callable
from pathlib import Path

import pytest

from build_tools.repository.registry import CanaryEntry, Registry, TaskEntry, TrunkEntry, VersionEntry, write_registry
from build_tools.repository.runtime import Runtime
from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.task_list import TaskList


@pytest.fixture
def repository(tmp_path: Path, make_version: Callable[..., VersionEntry]) -> Path:
    """intent: live 2, canary 3, and an earlier version whose folder is gone. mood: live 1, shadow 2."""
    trunk = TrunkEntry(
        encoder="e",
        config={},
        taps=[2],
        fingerprints=["f0", "f1", "f2"],
        tokenizers={"tokenizer": make_version().max_length},
    )
    intent = TaskEntry(
        live=2,
        earlier=[1],
        newest=3,
        canary=CanaryEntry(version=3, share=0.25),
        versions={str(number): make_version() for number in (1, 2, 3)},
    )
    mood = TaskEntry(
        live=1, newest=2, shadow=2, versions={str(number): make_version(model="branch_mood") for number in (1, 2)}
    )
    for model, number, layers in (("intent", 2, 1), ("intent", 3, 4), ("mood", 1, 2), ("mood", 2, 3)):
        folder = tmp_path / f"branch_{model}" / str(number)
        folder.mkdir(parents=True)
        (folder / "branch.json").write_text(json.dumps({"layers": layers}))
    registry = Registry(runtime=Runtime.OPENVINO, trunks={"trunk": trunk}, tasks={"intent": intent, "mood": mood})
    write_registry(tmp_path, registry)
    return tmp_path


def test_each_task_has_the_versions_that_run_and_where_they_sit(
    repository: Path, make_version: Callable[..., VersionEntry]
) -> None:
    tasks = TaskList(repository).of(Caller())

    place = {"trunk": "trunk", "tap": make_version().tap}
    assert tasks["intent"]["live"] == 2
    assert tasks["intent"]["canary"] == {"version": 3, "share": 0.25}
    assert tasks["intent"]["versions"] == {"2": place | {"layers": 1}, "3": place | {"layers": 4}}
    assert (tasks["mood"]["canary"], tasks["mood"]["shadow"]) == (None, 2)
    assert json.loads(json.dumps(tasks)) == tasks


def test_a_caller_sees_its_own_tasks_alone(repository: Path) -> None:
    assert list(TaskList(repository).of(Caller("team", frozenset({"mood", "other"})))) == ["mood"]


def test_a_registry_that_cannot_be_read_leaves_the_last_good_list(repository: Path) -> None:
    tasks = TaskList(repository)
    before = tasks.of(Caller())

    (repository / "registry.json").write_text("[" * 100_000)

    assert tasks.of(Caller()) == before
