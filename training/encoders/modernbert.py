"""ModernBERT (https://arxiv.org/abs/2412.13663): layers that normalize what they read, rotary positions, attention that
is global in every third layer and local in the others, and a gated feed-forward part.
"""

from training.encoders.architecture import Architecture
from training.encoders.family import Config, Family, RefusedEncoderError, Tensors

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_USUAL_PERIOD = 3


def _architecture(config: Config) -> Architecture:
    for kind in (_GLOBAL, _LOCAL):
        form = config.rope_parameters[kind]["rope_type"]
        if form != "default":
            raise RefusedEncoderError(
                f"has rotary positions of the type {form!r}: Espalier computes only the default ones"
            )
    return Architecture(
        family=config.model_type,
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        hidden_act=config.hidden_activation,
        layer_norm_eps=config.norm_eps,
        max_position_embeddings=config.max_position_embeddings,
        type_vocab_size=0,
        position_table=False,
        global_rotary_base=config.rope_parameters[_GLOBAL]["rope_theta"],
        local_rotary_base=config.rope_parameters[_LOCAL]["rope_theta"],
        local_window=config.local_attention // 2,
        global_every=_period(config.layer_types),
        norm_first=True,
        gated=True,
        attention_bias=config.attention_bias,
        feed_forward_bias=config.mlp_bias,
        norm_bias=config.norm_bias,
        hidden_dropout_prob=config.mlp_dropout,
        attention_probs_dropout_prob=config.attention_dropout,
        initializer_range=config.initializer_range,
    )


def _period(kinds: list[str]) -> int:
    """Of how many layers the lowest has global attention. It says what an encoder of another depth would have."""
    for period in (_USUAL_PERIOD, *range(1, len(kinds) + 1)):
        if kinds == [_LOCAL if number % period else _GLOBAL for number in range(len(kinds))]:
            return period
    raise RefusedEncoderError(
        "mixes layers of global and local attention in no regular order (layer_types in its config.json)"
    )


def _prepare(tensors: Tensors, config: Config) -> Tensors:  # noqa: ARG001
    """Splits the joined projections."""
    prepared: Tensors = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        parts = _PARTS.get(module.rpartition(".")[2], ())
        if parts:
            prepared |= {
                f"{module}/{part}.{kind}": one for part, one in zip(parts, tensor.chunk(len(parts)), strict=False)
            }
        else:
            prepared[name] = tensor
    return prepared


_PARTS = {"Wqkv": ("query", "key", "value"), "Wi": ("inner", "gate")}

MODERNBERT = Family(
    model_type="modernbert",
    title="ModernBERT",
    prefix="model",
    heads=("head.", "decoder.", "classifier."),
    architecture=_architecture,
    names={
        "embeddings.words": "embeddings.tok_embeddings",
        "embeddings.norm": "embeddings.norm",
        "layers.#.attention.norm": "layers.#.attn_norm",
        "layers.#.attention.query": "layers.#.attn.Wqkv/query",
        "layers.#.attention.key": "layers.#.attn.Wqkv/key",
        "layers.#.attention.value": "layers.#.attn.Wqkv/value",
        "layers.#.after_attention.attention_output": "layers.#.attn.Wo",
        "layers.#.after_attention.inner_norm": "layers.#.mlp_norm",
        "layers.#.after_attention.inner": "layers.#.mlp.Wi/inner",
        "layers.#.after_attention.gate": "layers.#.mlp.Wi/gate",
        "layers.#.after_attention.outer": "layers.#.mlp.Wo",
        "norm": "final_norm",
    },
    prepare=_prepare,
)
