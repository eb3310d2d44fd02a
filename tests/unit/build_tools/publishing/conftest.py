"""Repositories as build and publish leave them, small and without weights, and a Triton that serves one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from laid_out_repository import FakeTriton, lay_out_files, two_tasks

from build_tools.repository.registry import Registry, VersionEntry
from training.encoder import Encoder


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def triton() -> type[FakeTriton]:
    """Starts a Triton on a repository."""
    return FakeTriton


@pytest.fixture
def registry(make_version: Callable[..., VersionEntry], encoder: Encoder) -> Registry:
    """Of intent version 3 is live, 2 and 1 were before; of mood there is one version. One trunk with taps 1 and 2."""
    return two_tasks(make_version, encoder.config)


@pytest.fixture
def lay_out() -> Callable[[Path, Registry], Path]:
    """Writes all files of a registry into a folder, over those that are there. Returns the folder."""
    return lay_out_files


@pytest.fixture
def repository(tmp_path: Path, registry: Registry) -> Path:
    """A repository as `registry` says."""
    return lay_out_files(tmp_path / "repository", registry)
