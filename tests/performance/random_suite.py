"""A shape -> task checkpoints with random weights, from which `espalier build` makes a repository as usual."""

from pathlib import Path

import torch
from shapes import MAX_LENGTH, Shape
from transformers import BertConfig, BertModel

from training.branch_record import BranchRecord, EncoderRecord, TrainingRecord
from training.checkpoint import Checkpoint, save_checkpoint
from training.data import Example
from training.encoder import Encoder, load_encoder
from training.fingerprint import trunk_fingerprints
from training.golden import golden_examples
from training.kinds import Kind
from training.model import Branch, Trunk

GOLDEN_TEXTS = ("wake me at seven", "what will the weather be like in the mountains on the day after tomorrow")


def random_encoder(shape: Shape, folder: Path) -> Encoder:
    """Saves an encoder of the shape in `folder`, with the uncased vocabulary, and loads it from there."""
    tokenizer = load_encoder().tokenizer
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.encoder_layers,
        num_attention_heads=shape.hidden_size // 64,
        intermediate_size=4 * shape.hidden_size,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return load_encoder(str(folder))


def random_checkpoints(shape: Shape, encoder: Encoder, folder: Path, max_length: int = MAX_LENGTH) -> list[Path]:
    """One checkpoint per branch of the shape, in `folder`/<task>. max_length: the tokens that they read."""
    fingerprints = trunk_fingerprints(encoder, max(branch.tap for branch in shape.branches))
    saved = []
    for branch_shape in shape.branches:
        kind = branch_shape.kind
        labels = _labels(kind, branch_shape.labels)
        branch = Branch(
            encoder.architecture, branch_shape.tap, branch_shape.layers, len(labels), kind is Kind.TAGGING
        ).eval()
        # Answers far from a tie, which any precision keeps: the first label; of a multi-label task every second one.
        bias = [8.0, *(4.0 if number % 2 == 0 else -4.0 for number in range(1, len(labels)))]
        branch.classifier.bias.data.copy_(torch.tensor(bias))
        golden = golden_examples(
            Trunk(encoder, [branch_shape.tap]),
            branch,
            encoder.tokenizer,
            [Example(text, labels[0]) for text in GOLDEN_TEXTS],
            kind,
            max_length,
        )
        record = BranchRecord(
            format_version=1,
            task=branch_shape.task,
            kind=kind,
            labels=labels,
            metric=kind.default_metric,
            encoder=EncoderRecord(name=encoder.name, layers=encoder.layers, config=encoder.config),
            tap=branch_shape.tap,
            layers=branch_shape.layers,
            max_length=max_length,
            trunk_fingerprint=fingerprints[branch_shape.tap],
            scores={},
            training=TrainingRecord(
                role="teacher",
                data="none: random weights",
                data_sha256="",
                train_rows=0,
                dev_rows=len(GOLDEN_TEXTS),
                seed=0,
                best_epoch=0,
                hyper_parameters={},
            ),
        )
        target = folder / branch_shape.task
        save_checkpoint(target, Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=golden))
        saved.append(target)
    return saved


def _labels(kind: Kind, count: int) -> list[str]:
    if kind is not Kind.TAGGING:
        return [f"label_{number}" for number in range(count)]
    spans = [f"{prefix}-type_{number}" for number in range(count // 2) for prefix in "BI"]
    return ["O", *spans]
