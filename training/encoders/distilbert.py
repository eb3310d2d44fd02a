"""DistilBERT (https://arxiv.org/abs/1910.01108): BERT's layers, without token types and pooler."""

from training.encoders.architecture import Architecture
from training.encoders.family import Config, Family


def _architecture(config: Config) -> Architecture:
    return Architecture(
        family=config.model_type,
        vocab_size=config.vocab_size,
        hidden_size=config.dim,
        num_attention_heads=config.n_heads,
        intermediate_size=config.hidden_dim,
        hidden_act=config.activation,
        layer_norm_eps=1e-12,  # no field of its config
        max_position_embeddings=config.max_position_embeddings,
        type_vocab_size=0,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.attention_dropout,
        initializer_range=config.initializer_range,
    )


DISTILBERT = Family(
    model_type="distilbert",
    title="DistilBERT",
    prefix="distilbert",
    heads=(
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
    ),
    architecture=_architecture,
    names={
        "embeddings.words": "embeddings.word_embeddings",
        "embeddings.positions": "embeddings.position_embeddings",
        "embeddings.norm": "embeddings.LayerNorm",
        "layers.#.attention.query": "transformer.layer.#.attention.q_lin",
        "layers.#.attention.key": "transformer.layer.#.attention.k_lin",
        "layers.#.attention.value": "transformer.layer.#.attention.v_lin",
        "layers.#.after_attention.attention_output": "transformer.layer.#.attention.out_lin",
        "layers.#.after_attention.attention_norm": "transformer.layer.#.sa_layer_norm",
        "layers.#.after_attention.inner": "transformer.layer.#.ffn.lin1",
        "layers.#.after_attention.outer": "transformer.layer.#.ffn.lin2",
        "layers.#.after_attention.outer_norm": "transformer.layer.#.output_layer_norm",
    },
)
