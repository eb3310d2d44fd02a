"""Which models the gate knows of a registry."""

from collections.abc import Callable
from datetime import UTC, datetime

from build_tools.repository.registry import FusedEntry, Registry, TaskEntry, TrunkEntry, VersionEntry
from build_tools.serving.gate.catalogue import models_of


def test_what_the_ensembles_call_may_be_read_about(make_version: Callable[..., VersionEntry]) -> None:
    """perf_analyzer asks for the config of each model that an ensemble calls, and does not start without it."""
    fused = FusedEntry(model="fused.2", version=3, taps=[2], tasks={"intent": 1}, since=datetime.now(UTC))
    trunk = TrunkEntry(encoder="e", config={}, taps=[2], fingerprints=[], tokenizers={"tokenizer": 16}, fused=fused)
    intent = TaskEntry(live=1, versions={"1": make_version()})

    models = models_of(Registry(runtime="openvino", trunks={"trunk": trunk}, tasks={"intent": intent}))

    assert models.inner == {"trunk", "fused.2", "branch_intent", "tokenizer"}
    assert set(models.open) == {"intent", "nlu", "nlu_stream"}
