"""What /state says of requests and candidates, from what real processes have counted."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from build_tools.repository.registry import CanaryEntry, Origin, Registry, TaskEntry, TrunkEntry, VersionEntry
from build_tools.repository.replica_state import CandidateCounts
from build_tools.serving.counted import read_counted

ROOT = Path(__file__).resolve().parents[4]
# A gate's counters, and those of a router that has asked version 1 (live) and 2 (a canary) of intent.
COUNTING = """
import sys
sys.path += ["model_repository/nlu/1", "model_repository/tokenizer/1"]
from build_tools.serving.gate.metrics import _requests
for protocol, method, code, number in (
    ("http", "infer", "ok", 3), ("grpc", "ModelInfer", "unavailable", 2), ("http", "generate", "cancelled", 1),
    ("http", "state", "ok", 50), ("http", "ready", "unavailable", 50),
):
    _requests(protocol, method, code).inc(number)
from router.candidates import Outcome
from router.metrics import RouterMetrics
from router.registry import Version
live, canary = (Version("intent", n, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk") for n in (1, 2))
metrics = RouterMetrics("nlu")
metrics.count_answers(live, 8, {"a": 6, "b": 2}, 0.5)
metrics.count_errors(live, 2, "failed")
metrics.count_answers(canary, 4, {"b": 4}, 0.25)
metrics.count_errors(canary, 3, "invalid")
metrics.count_candidate(canary, Outcome(answers=4, errors=1))
metrics.set_dropped(canary)
for version, label in ((live, "a"), (live, "b"), (canary, "b")):
    metrics.count_compared(version, canary, [label])
metrics.close()
"""


@pytest.fixture
def registry() -> Registry:
    origin = Origin(checkpoint="c", data="d", data_sha256="0", published_at=datetime.now(UTC), published_by="me")
    version = VersionEntry(
        model="branch_intent",
        trunk="trunk",
        kind="classification",
        labels=["a", "b"],
        tap=2,
        max_length=16,
        origin=origin,
    )
    trunk = TrunkEntry(encoder="tiny", config={}, taps=[2], fingerprints=[], tokenizers={"tokenizer": 16})
    entry = TaskEntry(live=1, canary=CanaryEntry(version=2, share=0.5), versions={"1": version, "2": version})
    return Registry(runtime="openvino", trunks={"trunk": trunk}, tasks={"intent": entry})


def test_counts_are_sums_over_all_processes(tmp_path: Path, registry: Registry) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", COUNTING], env=environment, cwd=ROOT, check=True)

    found = read_counted(tmp_path, registry)

    assert (found.requests, found.errors) == (12, 4)
    assert found.counts == {
        "intent": {
            1: CandidateCounts(answers=16, errors=4, calls=2, seconds=1.0, texts=4, labels={"a": 2, "b": 2}),
            # Of errors only those that the live version would not have made.
            2: CandidateCounts(answers=8, errors=2, calls=2, seconds=0.5, dropped=True, texts=2, labels={"b": 2}),
        }
    }


def test_before_anybody_has_counted_all_is_zero(tmp_path: Path, registry: Registry) -> None:
    found = read_counted(tmp_path, registry)

    assert (found.requests, found.errors) == (0, 0)
    assert found.counts["intent"][2] == CandidateCounts()
    assert read_counted(tmp_path, None).counts == {}
