"""BERT (https://arxiv.org/abs/1810.04805)."""

from typing import Any

from training.encoders.architecture import Architecture
from training.encoders.family import Config, Family
from training.encoders.stored_names import EMBEDDINGS, LAYER


def bert_architecture(config: Config, **changes: Any) -> Architecture:
    """The architecture of an encoder whose config has BERT's fields. changes: what differs from them."""
    fields: dict[str, Any] = {
        "family": config.model_type,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "hidden_act": config.hidden_act,
        "layer_norm_eps": config.layer_norm_eps,
        "max_position_embeddings": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
        "hidden_dropout_prob": config.hidden_dropout_prob,
        "attention_probs_dropout_prob": config.attention_probs_dropout_prob,
        "initializer_range": config.initializer_range,
    }
    return Architecture(**fields | changes)


# Stored names are BERT's.
BERT_NAMES = {
    **{f"embeddings.{own}": f"embeddings.{stored}" for own, stored in EMBEDDINGS.items()},
    **{f"layers.#.{own}": f"encoder.layer.#.{stored}" for own, stored in LAYER.items()},
    "pooler": "pooler.dense",
}

BERT = Family(
    model_type="bert",
    title="BERT",
    prefix="bert",
    heads=("cls.", "classifier.", "qa_outputs.", "pooler."),
    architecture=bert_architecture,
    names=BERT_NAMES,
)
