"""Whatever stands in registry.json, manifest.json or audit.jsonl, reading it is one sentence and never a traceback."""

import json
from pathlib import Path

import pytest
from file_damages import CONTENTS, changed, cut, sentence_of

from build_tools.repository.audit import AUDIT_LOG, last_withdrawals
from build_tools.repository.manifest import MANIFEST, read_manifest
from build_tools.repository.registry import REGISTRY, read_registry

_ORIGIN = {
    "checkpoint": "c",
    "data": "rows",
    "data_sha256": "d",
    "published_at": "2026-01-02T03:04:05Z",
    "published_by": "somebody",
}
_VERSION = {
    "model": "branch_intent",
    "trunk": "trunk",
    "kind": "classification",
    "labels": ["a", "b"],
    "tap": 2,
    "max_length": 16,
    "origin": _ORIGIN,
}
_TRUNK = {
    "encoder": "tiny",
    "config": {"hidden_size": 16},
    "taps": [2],
    "fingerprints": ["f0", "f1", "f2"],
    "tokenizers": {"tokenizer": 16},
}
GOOD = {
    "format_version": 3,
    "runtime": "openvino",
    "trunks": {"trunk": _TRUNK},
    "tasks": {"intent": {"live": 1, "versions": {"1": _VERSION}}},
}


def use_registry(repository: Path) -> None:
    registry = read_registry(repository)
    json.dumps(registry.model_dump(mode="json"))
    for task in registry.tasks.values():
        version = task.live_version
        trunk = registry.trunks[version.trunk]
        assert trunk.hidden_size
        assert trunk.tokenizer_for(version)
        assert task.held


def test_registry(tmp_path: Path) -> None:
    file = tmp_path / REGISTRY
    file.write_text(json.dumps(GOOD))
    assert sentence_of(lambda: use_registry(tmp_path)) is None
    for content in [*CONTENTS.values(), *cut(json.dumps(GOOD).encode())]:
        file.write_bytes(content)
        sentence_of(lambda: use_registry(tmp_path))
    for other in changed(GOOD):
        file.write_text(json.dumps(other))
        sentence_of(lambda: use_registry(tmp_path))
    file.unlink()
    file.mkdir()
    assert sentence_of(lambda: read_registry(tmp_path)) is not None


@pytest.mark.parametrize("name", [MANIFEST, AUDIT_LOG])
def test_manifest_and_audit_log(name: str, tmp_path: Path) -> None:
    good = {"files": {"trunk/1/model.onnx": "0" * 64}, "task": "intent", "action": "withdraw"}
    file = tmp_path / name
    for content in [*CONTENTS.values(), *cut(json.dumps(good).encode())]:
        file.write_bytes(content)
        sentence_of(lambda: read_manifest(tmp_path))
        assert sentence_of(lambda: last_withdrawals(tmp_path).get("intent")) is None
    for other in changed(good):
        file.write_text(json.dumps(other))
        sentence_of(lambda: read_manifest(tmp_path))
        assert sentence_of(lambda: last_withdrawals(tmp_path).get("intent")) is None
    file.unlink()
    file.mkdir()
    sentence_of(lambda: read_manifest(tmp_path))
    sentence_of(lambda: last_withdrawals(tmp_path).get("intent"))
