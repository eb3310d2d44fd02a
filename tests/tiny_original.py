"""Tiny classifiers of transformers, of other architectures than the trunk's, fine-tuned for a moment by plain code.

They stand for the models that a team has: nothing here is Espalier's but the way their folders are read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tiny_tokenizer import LETTERS, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForTokenClassification,
)

_SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
_SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
_DISTIL_SIZES: dict[str, Any] = {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64}


def byte_level_tokenizer(texts: Sequence[str], vocabulary: int = 300) -> PreTrainedTokenizerFast:
    """RoBERTa's kind: bytes, and tokens that begin at the blank. The padding's number is 1."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **_SPECIAL)


def word_piece_tokenizer(words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """BERT's kind, without token types: the second text of a pair is told by [SEP] alone."""
    tokenizer = tiny_tokenizer(*LETTERS, *words)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def save_tagger(folder: Path, rows: Sequence[dict[str, Any]], tags: Sequence[str], steps: int = 60) -> Path:
    """A RoBERTa that tags `tokens` with `tags` (names of its outputs; a row's tags are among them)."""
    tokenizer = byte_level_tokenizer([" ".join(row["tokens"]) for row in rows])
    names = _names(tags)
    config = RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1, type_vocab_size=1, **_SIZES, **names
    )
    inputs = tokenizer(
        [" ".join(row["tokens"]) for row in rows], padding=True, return_tensors="pt", return_offsets_mapping=True
    )
    targets = torch.full(inputs["input_ids"].shape, -100)
    for place, row in enumerate(rows):
        start = 0
        for token, tag in zip(row["tokens"], row["tags"], strict=True):
            offsets = inputs["offset_mapping"][place].tolist()
            first = next(i for i, (a, b) in enumerate(offsets) if b > start and b > a)
            targets[place, first] = tags.index(tag)
            start += len(token) + 1
    del inputs["offset_mapping"]
    return _fine_tuned(folder, _seeded(RobertaForTokenClassification, config), tokenizer, inputs, targets, steps)


def save_classifier(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    labels: Sequence[str] | None,
    steps: int = 60,
    problem: str = "single_label_classification",
    words: Sequence[str] = (),
) -> Path:
    """An ELECTRA of `text`, or a DistilBERT of `text` and `text_pair`. labels: None for a config without names."""
    is_pair = "text_pair" in rows[0]
    tokenizer = word_piece_tokenizer(words)
    order = list(labels) if labels else sorted({str(row["label"]) for row in rows})
    outputs = 1 if problem == "regression" else len(order)
    names: dict[str, Any] = _names(labels) if labels else {"num_labels": outputs}
    texts = [row["text"] for row in rows], [row["text_pair"] for row in rows] if is_pair else None
    inputs = tokenizer(*texts, padding=True, return_tensors="pt")
    common = {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "problem_type": problem, **names}
    if is_pair:
        model: Any = _seeded(DistilBertForSequenceClassification, DistilBertConfig(**common, **_DISTIL_SIZES))
    else:
        model = _seeded(ElectraForSequenceClassification, ElectraConfig(embedding_size=16, **common, **_SIZES))
    if problem == "regression":
        targets = torch.tensor([float(row["label"]) for row in rows])
    elif problem == "multi_label_classification":
        targets = torch.tensor([[float(name in row["label"]) for name in order] for row in rows])
    else:
        targets = torch.tensor([order.index(str(row["label"])) for row in rows])
    return _fine_tuned(folder, model, tokenizer, inputs, targets, steps)


def _names(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}


def _seeded(model: Any, config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model(config)


def _fine_tuned(folder: Path, model: Any, tokenizer: Any, inputs: Any, targets: torch.Tensor, steps: int) -> Path:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(steps):
            model(**inputs, labels=targets).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
