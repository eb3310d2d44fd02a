"""A compaction on a real tritonserver: the answers before, after, and while versions come and go beside the graph."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from text_tensors import text_tensors
from untrained import save_untrained, tiny_encoder

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from tritonclient import grpc

from build_tools.build.builder import build
from build_tools.compaction.compact import compact
from build_tools.publishing import leaving
from build_tools.publishing.promote import promote
from build_tools.publishing.publish import publish
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import RunningServer
from build_tools.publishing.status import read_status
from build_tools.repository import in_memory
from build_tools.repository.registry import CanaryTerms, read_registry
from build_tools.serving.triton.server import TritonServer
from clients import Client
from training.encoder import Encoder
from training.kinds import Kind

TASKS: dict[str, dict[str, Any]] = {
    "intent": {"tap": 3},
    "mood": {"kind": Kind.MULTI_LABEL, "tap": 1, "seed": 1},
    "same": {"kind": Kind.PAIR_CLASSIFICATION, "labels": ("no", "yes"), "tap": 3, "seed": 2},
    "slots": {"kind": Kind.TAGGING, "labels": ("O", "B-x", "I-x"), "tap": 1, "seed": 3},
}
TEXTS = ["a b", "c d e f g h i j k l", "e", "a b c d", "c d e f g h i j k l m n"]
PAIRS = ["b", "", "a b", "d c b a", "e f"]
ROWS = ["intent,slots", "mood", "same,intent", "slots,mood,intent,same", "intent"]  # the tasks of each text
TOLERANCE = 1e-3


class Site:
    """A repository with a server."""

    def __init__(self, folder: Path, encoder: Encoder, server: TritonServer) -> None:
        self.folder, self.encoder, self.server = folder, encoder, server
        self.repository = folder / "repository"

    def checkpoint(self, task: str, **given: Any) -> Path:
        folder = self.folder / f"checkpoint_{len(list(self.folder.glob('checkpoint_*')))}"
        return save_untrained(folder, self.encoder, task, **(TASKS[task] | given))

    def triton(self) -> RunningServer:
        return RunningServer(self.server.grpc_url)

    def loaded(self) -> set[str]:
        """The trunks, branches and fused graphs that Triton holds."""
        with self.triton() as triton:
            return {one for one in triton.ready_versions() if re.match("trunk|branch_|fused", one)}

    def computed(self) -> dict[str, int]:
        """{model: calls so far}."""
        with self.triton() as triton:
            return {model: calls.answered for (model, _), calls in triton.calls().items()}

    def compact(self, **options: Any) -> dict[str, str]:
        with self.triton() as triton:
            return compact(self.repository, triton, **options)

    def publish(self, task: str, **given: Any) -> None:
        options = {name: given.pop(name) for name in ("canary", "shadow") if name in given}
        with self.triton() as triton:
            publish(self.checkpoint(task, **given), self.repository, triton, **options)

    def answers(self) -> dict[str, Any]:
        """{where: number, label or version}, of rows that ask for different tasks, a stream, one task, an ensemble."""
        with Client(self.server.grpc_url) as client, grpc.InferenceServerClient(self.server.grpc_url) as triton:
            rows = triton.infer("nlu", text_tensors({"text": TEXTS, "pair": PAIRS, "tasks": ROWS}, (-1, 1)))
            streamed = {task: answer.model_dump() for task, answer in client.stream("a b c", pair="c")}
            lone = client.predict("a b c", pair="c", tasks=["mood"])["mood"].model_dump()
            plain = triton.infer("slots", text_tensors({"text": TEXTS})).as_numpy("logits").tolist()
        assert sorted(streamed) == sorted(TASKS)
        results = [json.loads(row[0])["tasks"] for row in rows.as_numpy("result")]
        return dict(_flat(["rows", "stream", "lone", "ensemble"], [results, streamed, lone, plain]))


def _flat(names: Iterable[object], values: Iterable[Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (path, leaf)."""
    for name, value in zip(names, values, strict=True):
        if isinstance(value, dict):
            yield from _flat(value.keys(), value.values(), f"{path}/{name}")
        elif isinstance(value, list | tuple):
            yield from _flat(range(len(value)), value, f"{path}/{name}")
        else:
            yield f"{path}/{name}", value


def _same(found: dict[str, Any], expected: dict[str, Any], but: str = "no task") -> None:
    """Checks that nothing differs, except for one task."""
    found, expected = ({path: one for path, one in which.items() if but not in path} for which in (found, expected))
    near = {path: pytest.approx(one, abs=TOLERANCE) for path, one in expected.items() if isinstance(one, float)}
    assert found == expected | near


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fused")
    encoder = tiny_encoder(folder / "encoder")
    site = Site(folder, encoder, TritonServer(folder / "repository"))
    build([site.checkpoint(task) for task in TASKS], site.repository)
    with site.server:
        yield site


@pytest.fixture(autouse=True)
def _short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in flight when a compaction ends here."""
    monkeypatch.setattr(leaving, "DRAIN_SECONDS", 1.1)  # `since` is in whole seconds
    monkeypatch.setattr(in_memory, "DRAIN_SECONDS", 0.0)


def test_a_compaction_changes_no_answer_and_versions_come_and_go_beside_the_graph(site: Site) -> None:
    before = site.answers()

    assert set(site.compact()) == set(TASKS)

    assert site.loaded() == {"fused"}
    calls = site.computed()["fused"]
    _same(site.answers(), before)
    assert site.computed()["fused"] > calls
    status = read_status(site.repository, read_registry(site.repository), None, None)
    assert {task.runs_in for task in status} == {"fused"}

    # A version published since runs outside, on the hidden states of the graph.
    site.publish("intent", seed=9)
    assert site.loaded() == {"fused", "branch_intent"}
    after = site.answers()
    assert after["/stream/intent/version"] == 2
    _same(after, before, but="intent")

    # Rolled back, the graph computes it again.
    with site.triton() as triton:
        rollback("intent", site.repository, triton)
    _same(site.answers(), before)

    # A canary at a tap that the graph lacks needs the trunk.
    site.publish("intent", seed=10, tap=2, canary=CanaryTerms(share=0.5))
    assert site.loaded() == {"fused", "trunk", "branch_intent"}
    found = site.answers()
    _same(found, before, but="intent")
    assert {one for path, one in found.items() if "intent/version" in path} == {1, 3}

    # The next compaction takes the tap in.
    with site.triton() as triton:
        promote("intent", site.repository, triton)
    site.compact()
    _same(site.answers(), before, but="intent")
    assert site.loaded() == {"fused.2", "branch_intent"}, "the previous version stays for a quick way back"
