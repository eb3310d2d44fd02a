"""MPNet (https://arxiv.org/abs/2004.09297): BERT's layers, with a bias for relative positions and no token types.

All layers of a file share one table of that bias. Each of ours has a copy, so that a branch needs nothing but its own
layers, and tunes its own.
"""

from training.encoders.architecture import Architecture
from training.encoders.bert import BERT_NAMES
from training.encoders.family import Config, Family, RefusedEncoderError, Tensors
from training.encoders.positions import BUCKETS
from training.encoders.roberta import positions_from

_PADDING = 1  # the padding id, whatever the config says; positions begin behind it
_BIAS = "encoder.relative_attention_bias.weight"


def _architecture(config: Config) -> Architecture:
    if config.relative_attention_num_buckets != BUCKETS:
        raise RefusedEncoderError(
            f"has {config.relative_attention_num_buckets} buckets of relative positions "
            f"(relative_attention_num_buckets in its config.json): MPNet computes {BUCKETS}"
        )
    return Architecture(
        family=config.model_type,
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        hidden_act=config.hidden_act,
        layer_norm_eps=config.layer_norm_eps,
        max_position_embeddings=config.max_position_embeddings - _PADDING - 1,
        type_vocab_size=0,
        position_buckets=BUCKETS,
        hidden_dropout_prob=config.hidden_dropout_prob,
        attention_probs_dropout_prob=config.attention_probs_dropout_prob,
        initializer_range=config.initializer_range,
    )


def _prepare(tensors: Tensors, config: Config) -> Tensors:
    prepared = positions_from(tensors, _PADDING + 1)
    if _BIAS in prepared:
        shared = prepared.pop(_BIAS)
        for number in range(config.num_hidden_layers):
            prepared[f"encoder.layer.{number}.attention.attn.relative_attention_bias.weight"] = shared
    return prepared


MPNET = Family(
    model_type="mpnet",
    title="MPNet",
    prefix="mpnet",
    heads=("lm_head.", "classifier.", "qa_outputs.", "pooler."),
    architecture=_architecture,
    names={
        **BERT_NAMES,
        "layers.#.attention.query": "encoder.layer.#.attention.attn.q",
        "layers.#.attention.key": "encoder.layer.#.attention.attn.k",
        "layers.#.attention.value": "encoder.layer.#.attention.attn.v",
        "layers.#.attention.position_bias": "encoder.layer.#.attention.attn.relative_attention_bias",
        "layers.#.after_attention.attention_output": "encoder.layer.#.attention.attn.o",
        "layers.#.after_attention.attention_norm": "encoder.layer.#.attention.LayerNorm",
    },
    prepare=_prepare,
)
