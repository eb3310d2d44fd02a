"""A shared folder with two tasks, and the next registries of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from laid_out_repository import lay_out_files, two_tasks

from build_tools.publishing.registry_transitions import published
from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.registry import Registry, VersionEntry
from training.encoder import Encoder


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def registry(make_version: Callable[..., VersionEntry], encoder: Encoder) -> Registry:
    """Of intent version 3 is live, 2 and 1 were before; of mood there is one version. One trunk with taps 1 and 2."""
    return two_tasks(make_version, encoder.config)


@pytest.fixture
def following() -> Callable[..., Registry]:
    """(registry, task) -> the next generation, in which the task has a new live version."""

    def following(registry: Registry, task: str = "intent") -> Registry:
        version = registry.tasks[task].live_version
        number = registry.tasks[task].newest + 1
        trunk = registry.trunks["trunk"]
        after = published(registry, task, number, version, trunk, None, shadow=False, keep=5, now=None)
        return after.model_copy(update={"generation": registry.generation + 1})

    return following


@pytest.fixture
def shared(tmp_path: Path, registry: Registry) -> Path:
    """The shared folder, as `registry` says."""
    folder = lay_out_files(tmp_path / "shared", registry)
    ensure_control_key(folder)
    return folder
