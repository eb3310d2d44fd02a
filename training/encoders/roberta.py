"""RoBERTa (https://arxiv.org/abs/1907.11692) and XLM-R (https://arxiv.org/abs/1911.02116), which has its layers."""

from dataclasses import replace

from training.encoders.architecture import Architecture
from training.encoders.bert import BERT_NAMES, bert_architecture
from training.encoders.family import Config, Family, RefusedEncoderError, Tensors

_POSITIONS = "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"


def _architecture(config: Config) -> Architecture:
    if not isinstance(config.pad_token_id, int) or config.pad_token_id < 0:
        raise RefusedEncoderError("has no pad_token_id in its config.json, behind which its positions begin")
    return bert_architecture(
        config,
        max_position_embeddings=config.max_position_embeddings - config.pad_token_id - 1,
        type_vocab_size=config.type_vocab_size if _reads_types(config) else 0,
    )


def _prepare(tensors: Tensors, config: Config) -> Tensors:
    """The first token has the position behind the padding id. The only token type is added to every position."""
    prepared = positions_from(tensors, config.pad_token_id + 1)
    if not _reads_types(config) and _TYPES in prepared and _POSITIONS in prepared:
        prepared[_POSITIONS] = prepared[_POSITIONS].float() + prepared.pop(_TYPES).float()
    return prepared


def positions_from(tensors: Tensors, first: int) -> Tensors:
    """A copy of the tensors whose table of positions begins with that of the first token."""
    prepared = dict(tensors)
    if _POSITIONS in prepared:
        prepared[_POSITIONS] = prepared[_POSITIONS][first:]
    return prepared


def _reads_types(config: Config) -> bool:
    return bool(config.type_vocab_size != 1)


ROBERTA = Family(
    model_type="roberta",
    title="RoBERTa",
    prefix="roberta",
    heads=("lm_head.", "classifier.", "qa_outputs.", "pooler."),
    architecture=_architecture,
    names=BERT_NAMES,
    prepare=_prepare,
)
XLM_ROBERTA = replace(ROBERTA, model_type="xlm-roberta", title="XLM-R")
