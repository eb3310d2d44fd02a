"""A tiny BERT and task checkpoints of it, in memory and untrained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_bert import tiny_encoder_in_memory

from build_tools.repository.registry import VersionEntry, version_entry
from training.branch_record import BranchRecord, EncoderRecord, TrainingRecord
from training.encoder import Encoder
from training.kinds import Kind

LABELS = {Kind.TAGGING: ["O", "B-x", "I-x"], Kind.PAIR_REGRESSION: []}


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """3 layers of width 16; its tokenizer knows the words "a" to "e"."""
    return tiny_encoder_in_memory()


@pytest.fixture
def make_record(encoder: Encoder) -> Callable[..., BranchRecord]:
    """branch.json of an untrained branch; what is given replaces the defaults."""

    def make_record(kind: Kind = Kind.CLASSIFICATION, **given: Any) -> BranchRecord:
        defaults = {
            "task": "intent",
            "labels": LABELS.get(kind, ["a", "b"]),
            "format_version": 1,
            "metric": kind.default_metric,
            "encoder": EncoderRecord(name=encoder.name, layers=encoder.layers, config=encoder.config),
            "tap": 2,
            "layers": 1,
            "max_length": 16,
            "trunk_fingerprint": "f",
            "scores": {},
            "training": TrainingRecord(
                role="teacher",
                data="none",
                data_sha256="0",
                train_rows=1,
                dev_rows=1,
                seed=0,
                best_epoch=1,
                hyper_parameters={},
            ),
        }
        return BranchRecord(kind=kind, **{**defaults, **given})

    return make_record


@pytest.fixture
def make_version(make_record: Callable[..., BranchRecord]) -> Callable[..., VersionEntry]:
    """The registry's entry of an untrained branch on the first trunk."""

    def make_version(kind: Kind = Kind.CLASSIFICATION, model: str = "branch_intent", **given: Any) -> VersionEntry:
        return version_entry(make_record(kind, **given), model, "trunk")

    return make_version


@pytest.fixture
def write_dev() -> Callable[[Path, list[dict[str, Any]]], Path]:
    """Writes dev.jsonl into a new data folder."""

    def write_dev(folder: Path, rows: list[dict[str, Any]]) -> Path:
        folder.mkdir(parents=True)
        (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return folder

    return write_dev
