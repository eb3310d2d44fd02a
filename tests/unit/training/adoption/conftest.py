"""Tiny originals of other architectures than the trunk's, one for each kind of task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_original import save_classifier, save_tagger

from training.adoption.original import Original, load_original
from training.kinds import Kind

Rows = list[dict[str, Any]]
TAGS = ["I-city", "O", "B-genre", "B-city"]  # no I-genre, and O is not the first


@pytest.fixture(scope="session")
def rows_of(task_folders: dict[Kind, Path]) -> Callable[[Kind], Rows]:
    """(kind) -> the rows of train, which are those of dev."""
    import json

    def rows_of(kind: Kind) -> Rows:
        lines = (task_folders[kind] / "train.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    return rows_of


@pytest.fixture(scope="session")
def original_folders(tmp_path_factory: pytest.TempPathFactory, rows_of: Callable[[Kind], Rows]) -> dict[Kind, Path]:
    """RoBERTa with a byte-level tokenizer tags, DistilBERT reads pairs, ELECTRA single texts."""
    root = tmp_path_factory.mktemp("originals")
    classes = {
        Kind.CLASSIFICATION: ("single_label_classification", ["pos", "neg"]),  # not in alphabetical order
        Kind.PAIR_CLASSIFICATION: ("single_label_classification", ["same", "different"]),
        Kind.PAIR_REGRESSION: ("regression", None),
        Kind.MULTI_LABEL: ("multi_label_classification", ["praise", "place", "blame"]),
    }
    folders = {Kind.TAGGING: save_tagger(root / "tagger", rows_of(Kind.TAGGING), TAGS)}
    for kind, (problem, labels) in classes.items():
        folders[kind] = save_classifier(root / kind, rows_of(kind), labels, problem=problem)
    return folders


@pytest.fixture(scope="session")
def originals(original_folders: dict[Kind, Path]) -> dict[Kind, Original]:
    """Loaded. Not to be changed."""
    return {kind: load_original(str(folder)) for kind, folder in original_folders.items()}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, empty at first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"
