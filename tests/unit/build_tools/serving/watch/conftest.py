"""A registry to be watched."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from build_tools.repository.registry import FusedEntry, Registry, TaskEntry, TrunkEntry, VersionEntry


@pytest.fixture
def watched(make_version: Callable[..., VersionEntry]) -> Registry:
    """intent and mood at tap 2 of one trunk, version 1 of each live."""
    trunk = TrunkEntry(
        encoder="tiny",
        config={"hidden_size": 16},
        taps=[1, 2],
        fingerprints=["f0", "f1", "f"],
        tokenizers={"tokenizer": 16},
    )
    tasks = {
        name: TaskEntry(live=1, versions={"1": make_version(model=f"branch_{name}", task=name)})
        for name in ("intent", "mood")
    }
    return Registry(runtime="openvino", trunks={"trunk": trunk}, tasks=tasks)


@pytest.fixture
def compacted(watched: Registry) -> Registry:
    """The same, with version 1 of both tasks in a fused graph, and a version 2 of mood beside it, at tap 2."""
    fused = FusedEntry(
        model="fused",
        version=3,
        taps=[1, 2],
        tasks={"intent": 1, "mood": 1},
        since=datetime.now(UTC) - timedelta(minutes=1),
    )
    trunk = watched.trunks["trunk"].model_copy(update={"fused": fused})
    mood = watched.tasks["mood"]
    newer = mood.model_copy(update={"live": 2, "versions": {**mood.versions, "2": mood.versions["1"]}})
    return watched.model_copy(update={"trunks": {"trunk": trunk}, "tasks": watched.tasks | {"mood": newer}})
