"""Families without token types, with tokenizers whose tokens begin at the blank, through the served router."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_families import POSITIONS, TEXTS, save_family
from untrained import save_untrained

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from build_tools.build.builder import build
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client
from training.checkpoint import Checkpoint, load_checkpoint
from training.data import Example
from training.encoder import load_encoder
from training.evaluator import logits_of
from training.kinds import Kind
from training.model import Trunk
from training.task_model import ComputedStates, TaskModel
from training.tokenization import NOT_SEEN, Tokens, tokenize

TAGS = ("O", "B-x", "I-x")
# The task, its encoder's family, its kind and labels.
TASKS = {
    "slots": ("xlm-roberta", Kind.TAGGING, TAGS),
    "same": ("xlm-roberta", Kind.PAIR_CLASSIFICATION, ("a", "b")),
    "places": ("modernbert", Kind.TAGGING, TAGS),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint for each task, and encoders in folders of the names of their families."""
    folder = tmp_path_factory.mktemp("families")
    encoders = {family: load_encoder(str(save_family(family, folder / family))) for family, _, _ in TASKS.values()}
    for task, (family, kind, labels) in TASKS.items():
        save_untrained(folder / task, encoders[family], task, tap=2, kind=kind, labels=labels, max_length=POSITIONS)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    """Of a server with a trunk of each family."""
    repository = folder / "repository"
    build([folder / "slots", folder / "same"], repository, router_instances=1)
    publish(folder / "places", repository, NoServer(), encoder=str(folder / "modernbert"))
    with Supervisor(Settings(repository), print) as server, Client(server.grpc_url) as opened:
        yield opened


@pytest.mark.parametrize("task", TASKS)
def test_the_router_answers_as_pytorch_does(task: str, folder: Path, client: Client) -> None:
    checkpoint = load_checkpoint(folder / task)
    is_pair = checkpoint.record.kind.is_pair
    pair = TEXTS[1] if is_pair else None
    for text, tokens, logits in _computed(checkpoint, folder / TASKS[task][0], pair):
        answer = client.predict(text, pair, tasks=[task], all_scores=True)[task]
        if is_pair:
            assert answer.scores == pytest.approx(_scores(("a", "b"), logits), abs=1e-3)
            continue
        assert answer.words is not None
        seen = [position for position in tokens.word_positions if position != NOT_SEEN]  # the last text is cut off
        assert [text[word.start : word.end] for word in answer.words] == text.split()[: len(seen)]
        assert answer.truncated == (len(seen) < len(text.split()))
        for word, position in zip(answer.words, seen, strict=True):
            assert word.scores == pytest.approx(_scores(TAGS, logits[position]), abs=1e-3)


def _computed(checkpoint: Checkpoint, encoder: Path, pair: str | None) -> Iterator[tuple[str, Tokens, np.ndarray]]:
    """Each text with its tokens and PyTorch's logits."""
    record = checkpoint.record
    examples = [Example(text, "", pair, tuple(one.span() for one in re.finditer(r"\S+", text))) for text in TEXTS]
    tokens = tokenize(checkpoint.tokenizer, examples, record.max_length)
    model = TaskModel(ComputedStates(Trunk(load_encoder(str(encoder)), [record.tap])), checkpoint.branch)
    return zip(TEXTS, tokens, logits_of(model, tokens, record.kind, batch_size=1), strict=True)


def _scores(labels: Sequence[str], logits: np.ndarray) -> dict[str, float]:
    powers = np.exp(logits - logits.max())
    return dict(zip(labels, powers / powers.sum(), strict=True))
