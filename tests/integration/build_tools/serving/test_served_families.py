"""Families without token types, with tokenizers whose tokens begin at the blank, through the served router.

XLM-R's trunk and branches are one graph; those of the other families are apart.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_families import ENTITIES, POSITIONS, TEXTS, entity_tags, save_family
from untrained import save_untrained, untrained

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from build_tools.build.builder import build
from build_tools.compaction.compact import compact
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from build_tools.repository.registry import read_registry
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.data import Example
from training.encoder import Encoder, load_encoder
from training.evaluator import logits_of
from training.golden import golden_examples
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
# SentencePiece's tokens, and bytes.
LEARNT = {"learnt": "xlm-roberta", "learnt_bytes": "roberta", "learnt_modern": "modernbert"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint for each task, and encoders in folders of the names of their families."""
    folder = tmp_path_factory.mktemp("families")
    families = {*LEARNT.values(), *(family for family, _, _ in TASKS.values())}
    encoders = {family: load_encoder(str(save_family(family, folder / family))) for family in families}
    for task, (family, kind, labels) in TASKS.items():
        save_untrained(folder / task, encoders[family], task, tap=2, kind=kind, labels=labels, max_length=POSITIONS)
    for task, family in LEARNT.items():
        save_checkpoint(folder / task, _fitted(encoders[family], task))
    return folder


def _fitted(encoder: Encoder, task: str) -> Checkpoint:
    """A tagger that knows where the entities are: the head that fits their tags best, on random layers."""
    checkpoint = untrained(encoder, task, kind=Kind.TAGGING, labels=TAGS, max_length=POSITIONS)
    branch, trunk = checkpoint.branch, Trunk(encoder, [checkpoint.record.tap])
    examples = [Example(text, "", None, tuple(one.span() for one in re.finditer(r"\S+", text))) for text, _ in ENTITIES]
    head, branch.classifier = branch.classifier, torch.nn.Identity()
    tokens = tokenize(encoder.tokenizer, examples, POSITIONS)
    states = logits_of(TaskModel(ComputedStates(trunk), branch), tokens, Kind.TAGGING, batch_size=1)
    read = np.concatenate([of[list(one.word_positions)] for of, one in zip(states, tokens, strict=True)])
    tags = [TAGS.index(tag) for text, entity in ENTITIES for tag in entity_tags(text, entity)]
    fitted, *_ = np.linalg.lstsq(np.pad(read, ((0, 0), (0, 1)), constant_values=1), np.eye(3)[tags], rcond=1e-6)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(fitted[:-1].T))
        head.bias.copy_(torch.tensor(fitted[-1]))
    branch.classifier = head
    golden = golden_examples(trunk, branch, encoder.tokenizer, examples, Kind.TAGGING, POSITIONS)
    return Checkpoint(record=checkpoint.record, branch=branch, tokenizer=encoder.tokenizer, golden=golden)


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    """Of a server with a trunk of each family."""
    repository = folder / "repository"
    build([folder / "slots", folder / "same", folder / "learnt"], repository, router_instances=1)
    compact(repository, NoServer())
    for task, family in {"places": "modernbert", "learnt_modern": "modernbert", "learnt_bytes": "roberta"}.items():
        publish(folder / task, repository, NoServer(), encoder=str(folder / family))
    fused = {name: one.fused is not None for name, one in read_registry(repository).trunks.items()}
    assert fused == {"trunk": True, "trunk.2": False, "trunk.3": False}
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


@pytest.mark.parametrize("task", LEARNT)
def test_an_entity_is_found_where_training_saw_it(task: str, client: Client) -> None:
    texts = [text for text, _ in ENTITIES]
    for (text, entity), answer in zip(ENTITIES, client.predict_batch(texts, tasks=[task]), strict=True):
        spans = answer[task].spans
        assert spans is not None
        start = text.index(entity)
        assert [(one.text, one.start, one.end) for one in spans] == [(entity, start, start + len(entity))]


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
