"""Untrained checkpoints of a tiny BERT: publishing asks for no good answers, only for the same ones everywhere."""

from collections.abc import Sequence
from pathlib import Path

import torch
from sentences import TEXTS
from tiny_bert import save_encoder, tiny_bert
from tiny_tokenizer import LETTERS, tiny_tokenizer

from training.branch_record import BranchRecord, EncoderRecord, TrainingRecord
from training.checkpoint import Checkpoint, save_checkpoint
from training.data import Example
from training.encoder import Encoder, load_encoder
from training.fingerprint import trunk_fingerprints
from training.golden import golden_examples
from training.kinds import Kind
from training.model import Branch, Trunk

MAX_LENGTH = 32


def tiny_encoder(folder: Path, seed: int = 0, layers: int = 4) -> Encoder:
    """A random BERT of width 32, saved to a new folder."""
    tokenizer = tiny_tokenizer(*LETTERS)
    return load_encoder(str(save_encoder(folder, tiny_bert(tokenizer, layers, seed=seed), tokenizer)))


def untrained(
    encoder: Encoder,
    task: str,
    tap: int = 2,
    layers: int = 1,
    labels: Sequence[str] = ("a", "b", "c"),
    kind: Kind = Kind.CLASSIFICATION,
    seed: int = 0,
    max_length: int = MAX_LENGTH,
) -> Checkpoint:
    """A checkpoint with random weights, others for another seed, and golden examples of them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        outputs = 1 if kind is Kind.PAIR_REGRESSION else len(labels)
        branch = Branch(encoder.architecture, tap, layers, outputs, per_token=kind is Kind.TAGGING).eval()
        torch.nn.init.normal_(branch.classifier.weight)  # wide, as the encoder's
    pair = TEXTS[0] if kind.is_pair else None
    examples = [Example(text, "", pair, _words(text) if kind is Kind.TAGGING else ()) for text in TEXTS]
    golden = golden_examples(Trunk(encoder, [tap]), branch, encoder.tokenizer, examples, kind, max_length)
    record = BranchRecord(
        format_version=1,
        task=task,
        kind=kind,
        labels=list(labels),
        metric=kind.default_metric,
        encoder=EncoderRecord(name=encoder.name, layers=encoder.layers, config=encoder.config),
        tap=tap,
        layers=layers,
        max_length=max_length,
        trunk_fingerprint=trunk_fingerprints(encoder, tap)[tap],
        scores={},
        training=TrainingRecord(
            role="teacher",
            data=f"seed {seed}",
            data_sha256="0" * 64,
            train_rows=1,
            dev_rows=len(TEXTS),
            seed=seed,
            best_epoch=1,
            hyper_parameters={},
        ),
    )
    return Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=golden)


def save_untrained(folder: Path, encoder: Encoder, task: str, **given: object) -> Path:
    """Saves such a checkpoint to a new folder, and returns the folder."""
    save_checkpoint(folder, untrained(encoder, task, **given))  # type: ignore[arg-type]
    return folder


def _words(text: str) -> tuple[tuple[int, int], ...]:
    words, start = [], 0
    for word in text.split(" "):
        words.append((start, start + len(word)))
        start += len(word) + 1
    return tuple(words)
