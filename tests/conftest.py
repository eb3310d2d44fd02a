"""What tests of several folders share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class GraphCache:
    """The user's cache of traced graphs, empty at first.

    folder: the user's cache folder. new_process: makes this process know no graph, like a process that just started.
    """

    folder: Path
    new_process: Callable[[], None]


@pytest.fixture
def graph_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GraphCache:
    """An empty cache of traced graphs for one test."""
    from build_tools.export import trace_cache  # here, because most tests do without onnx

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache = GraphCache(tmp_path / "cache", lambda: monkeypatch.setattr(trace_cache, "_graphs", {}))
    cache.new_process()
    return cache
