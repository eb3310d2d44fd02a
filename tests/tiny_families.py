"""A tiny random encoder of each family, as transformers saves it, with a tokenizer of the kind that the family has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

LAYERS = 4
WIDTH = 32
POSITIONS = 64  # of tokens
# Accents, scripts without blanks, emoji, punctuation.
TEXTS = (
    "wake me at seven",
    "naïve café Äpfel Straße, e\u0301te\u0301",
    "東京に行きたい to 北京 now",
    "fly to Rome 😀 👩\u200d👩\u200d👧 ok",
    "it's “5 o'clock” (approx.): a.b@c.org $5.50!",
    "play some jazz by Miles Davis in the kitchen on monday, then call my mother and tell her that I am late today",
)
# Such texts, each with its entity, a part of it.
ENTITIES = (
    ("naïve café Äpfel Straße", "café Äpfel"),
    ("e\u0301te\u0301 in Orléans, please", "Orléans"),
    ("fly to 東京 now", "東京"),
    ("now 北京", "北京"),
    ("play 😀 👩\u200d👩\u200d👧 ok", "👩\u200d👩\u200d👧"),
    ("meet me (Miles Davis)!", "Miles Davis"),
    ("“Rome” is near", "Rome"),
    ("at 5 o'clock sharp", "5 o'clock"),
    ("write to a.b@c.org, today", "a.b@c.org"),
)
_CORPUS = [*TEXTS, "fly from new york to rome", "book a table for two in paris"] * 4
_SIZES = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "initializer_range": 0.2}
_BERTS = {**_SIZES, "intermediate_size": 48, "max_position_embeddings": POSITIONS}


def save_family(model_type: str, folder: Path, seed: int = 0) -> Path:
    """Writes a model with its tokenizer, and returns the folder. The same for the same seed."""
    from transformers import AutoConfig, AutoModel  # here: their modules take seconds to import

    _, tokenizer_class, fields = _FAMILIES[model_type]
    tokenizer = family_tokenizer(model_type)
    config = AutoConfig.for_model(model_type, vocab_size=max(tokenizer.get_vocab().values()) + 1, **fields)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(config).eval()
        with torch.no_grad():  # biases and norms too, which begin as 0 and 1
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class}))
    return folder


def family_tokenizer(model_type: str) -> Tokenizer:
    """The tokenizer of the family's tiny model."""
    make, _, _ = _FAMILIES[model_type]
    return make()


def entity_tags(text: str, entity: str) -> list[str]:
    """The tags of the text's words: B-x and I-x where the entity is, else O."""
    begin, tags, start = text.index(entity), [], 0
    for word in text.split(" "):
        is_inside = start < begin + len(entity) and start + len(word) > begin
        tags.append(("I-x" if "B-x" in tags else "B-x") if is_inside else "O")
        start += len(word) + 1
    return tags


def _word_piece(cls: str, sep: str, pad: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [cls, pad, sep, "[UNK]"]
    tokenizer.train_from_iterator(
        _CORPUS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, show_progress=False)
    )
    return tokenizer


def _berts() -> Tokenizer:
    tokenizer = _word_piece("[CLS]", "[SEP]", "[PAD]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    return tokenizer


def _mpnets() -> Tokenizer:
    tokenizer = _word_piece("<s>", "</s>", "<pad>")
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def _byte_level(template: processors.PostProcessor, special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = template
    return tokenizer


def _robertas() -> Tokenizer:
    return _byte_level(processors.RobertaProcessing(("</s>", 2), ("<s>", 0)), ["<s>", "<pad>", "</s>", "<unk>"])


def _modernberts() -> Tokenizer:
    template = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    return _byte_level(template, ["[CLS]", "[PAD]", "[SEP]", "[UNK]"])


def _sentence_pieces() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(
        vocab_size=140, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


_SPECIAL_IDS = {"cls_token_id": 0, "bos_token_id": 0, "pad_token_id": 1, "sep_token_id": 2, "eos_token_id": 2}
_ROBERTA = {**_BERTS, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1, "pad_token_id": 1}
_FAMILIES: dict[str, tuple[Callable[[], Tokenizer], str, dict[str, Any]]] = {
    "bert": (_berts, "BertTokenizer", _BERTS),
    "roberta": (_robertas, "RobertaTokenizer", _ROBERTA),
    "xlm-roberta": (_sentence_pieces, "XLMRobertaTokenizer", _ROBERTA),
    "distilbert": (
        _berts,
        "BertTokenizer",
        {
            "dim": WIDTH,
            "n_layers": LAYERS,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": POSITIONS,
            "initializer_range": 0.2,
        },
    ),
    "electra": (_berts, "BertTokenizer", {**_BERTS, "embedding_size": 16}),
    "mpnet": (_mpnets, "MPNetTokenizer", {**_BERTS, "max_position_embeddings": POSITIONS + 2}),
    # A window of 2 to each side: most of a text lies outside. Layers 0 and 3 are global.
    "modernbert": (_modernberts, "PreTrainedTokenizerFast", {**_BERTS, "local_attention": 4, **_SPECIAL_IDS}),
}
MODEL_TYPES = tuple(_FAMILIES)
