"""A tiny random BERT and one small, separable task of each kind: every test here runs in a fraction of a second."""

import itertools
import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_bert import save_encoder, tiny_bert
from tiny_tokenizer import LETTERS, tiny_tokenizer

from training.checkpoint import Checkpoint
from training.data import TaskData, load_task
from training.encoder import Encoder, load_encoder
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.trainer import fine_tune

WORDS = ["good", "great", "fine", "bad", "awful", "poor", "film", "play", "some", "jazz", "rock", "in", "paris", "rome"]
WORDS += ["the", "it", "was", "really", "today"]
FILLERS = ["the film was {}", "it was really {} today", "a {} film", "{} film in paris"]
Rows = list[dict[str, Any]]


def save_bottom(folder: Path, layers: int) -> Path:
    """Saves a BERT. Each layer has the same weights for every depth, far enough from 0 to change the outputs."""
    digits = (*string.digits, *(f"##{digit}" for digit in string.digits))
    tokenizer = tiny_tokenizer("[MASK]", *LETTERS, *digits, *string.punctuation, *WORDS)
    return save_encoder(folder, tiny_bert(tokenizer, layers, spread=0.1, seed=7), tokenizer)


def write_jsonl(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def sentiment_rows() -> Rows:
    words = [("good", "pos"), ("great", "pos"), ("fine", "pos"), ("bad", "neg"), ("awful", "neg"), ("poor", "neg")]
    return [{"text": text.format(word), "label": label} for text, (word, label) in itertools.product(FILLERS, words)]


def pair_rows(good: Any, bad: Any) -> Rows:
    """The second text decides the label, so the task cannot be learnt if that text is lost."""
    return [
        {"text": f"play {genre} in {city}", "text_pair": f"it was {word}", "label": label}
        for genre, city in itertools.product(("jazz", "rock"), ("paris", "rome"))
        for word, label in (("good", good), ("great", good), ("bad", bad), ("awful", bad))
    ]


def slot_rows() -> Rows:
    return [
        {"tokens": ["play", genre, "in", city], "tags": ["O", "B-genre", "O", "B-city"], "intent": "music"}
        for genre in ("jazz", "rock")
        for city in ("paris", "rome", "Porto", "St.Ives")
    ]


def topic_rows() -> Rows:
    return [
        {"text": f"{word} film in {city}", "label": sorted({topic, "place"})}
        for word, topic in (("good", "praise"), ("great", "praise"), ("bad", "blame"), ("awful", "blame"))
        for city in ("paris", "rome")
    ]


ROWS_OF: dict[Kind, Callable[[], Rows]] = {
    Kind.CLASSIFICATION: sentiment_rows,
    Kind.PAIR_CLASSIFICATION: lambda: pair_rows("same", "different"),
    Kind.PAIR_REGRESSION: lambda: pair_rows(4.5, 0.5),
    Kind.TAGGING: slot_rows,
    Kind.MULTI_LABEL: topic_rows,
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """With 32 columns, waking threads takes longer than multiplying the matrices."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 4 layers."""
    return save_bottom(tmp_path_factory.mktemp("encoder"), layers=4)


@pytest.fixture(scope="session")
def shallow_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lowest 2 layers of the same BERT."""
    return save_bottom(tmp_path_factory.mktemp("shallow"), layers=2)


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Encoder:
    """Not to be changed. Tests that change an encoder load their own from encoder_folder."""
    return load_encoder(str(encoder_folder))


@pytest.fixture(scope="session")
def task_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """For each kind a folder with train.jsonl and dev.jsonl, which hold the same rows."""
    root = tmp_path_factory.mktemp("tasks")
    for kind, rows in ROWS_OF.items():
        for split in ("train", "dev"):
            write_jsonl(root / kind / f"{split}.jsonl", rows())
    return {kind: root / kind for kind in ROWS_OF}


@pytest.fixture(scope="session")
def tasks(task_folders: dict[Kind, Path]) -> dict[Kind, TaskData]:
    return {kind: load_task(str(folder)) for kind, folder in task_folders.items()}


@pytest.fixture(scope="session")
def hyper() -> HyperParameters:
    """Enough to learn the tiny tasks."""
    return HyperParameters(learning_rate=2e-3, batch_size=8, epochs=4, max_length=24)


@pytest.fixture(scope="session")
def teachers(tasks: dict[Kind, TaskData], encoder: Encoder) -> dict[Kind, Checkpoint]:
    """For each kind a briefly trained teacher with L = 3, that is tap 1. Not to be changed."""
    brief = HyperParameters(learning_rate=1e-3, batch_size=8, epochs=1, max_length=24)
    return {kind: fine_tune(data, kind.value, encoder, layers=3, hyper=brief) for kind, data in tasks.items()}


@pytest.fixture(scope="session")
def write_rows() -> Callable[[Path, Rows], Path]:
    """write_rows(path, rows) writes a JSONL file and the folders above it."""
    return write_jsonl
