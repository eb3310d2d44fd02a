from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from build_tools.repository.registry import (
    FusedEntry,
    Registry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
    write_registry,
)
from build_tools.serving.triton.models_to_load import models_to_load

MODELS = ("branch_intent", "branch_mood", "fused", "intent", "mood", "mine", "nlu", "tokenizer", "trunk")


@pytest.fixture
def lay_out(tmp_path: Path, make_version: Callable[..., VersionEntry]) -> Callable[[dict[str, int] | None], Path]:
    """({task: version in a fused graph}) -> a repository with version 1 of two tasks, and a model of its owner's."""

    def lay_out(inside: dict[str, int] | None) -> Path:
        for model in MODELS:
            (tmp_path / model).mkdir()
            (tmp_path / model / "config.pbtxt").touch()
        (tmp_path / "no_model").mkdir()
        fused = inside and FusedEntry(
            model="fused", version=1, taps=[2], tasks=inside, since=datetime.now(UTC) - timedelta(hours=2)
        )
        trunk = TrunkEntry(
            encoder="tiny", config={}, taps=[2], fingerprints=["f"], tokenizers={"tokenizer": 16}, fused=fused or None
        )
        tasks = {
            task: TaskEntry(live=1, versions={"1": make_version(model=f"branch_{task}", task=task)})
            for task in ("intent", "mood")
        }
        write_registry(tmp_path, Registry(runtime="openvino", trunks={"trunk": trunk}, tasks=tasks))
        return tmp_path

    return lay_out


def test_without_a_fused_graph_or_a_registry_triton_loads_all_there_is(lay_out, tmp_path) -> None:
    repository = lay_out(None)
    assert models_to_load(repository) == ["*"]

    (tmp_path / "registry.json").write_text("{")
    assert models_to_load(repository) == ["*"]


def test_what_a_fused_graph_stands_in_for_is_not_loaded_at_the_start(lay_out) -> None:
    loaded = models_to_load(lay_out({"intent": 1, "mood": 1}))

    assert loaded == ["fused", "intent", "mine", "mood", "nlu", "tokenizer"]


def test_a_branch_that_runs_outside_is_loaded(lay_out) -> None:
    loaded = models_to_load(lay_out({"intent": 1, "mood": 7}))

    assert set(MODELS) - set(loaded) == {"branch_intent", "trunk"}
