"""What decides the outputs of an encoder's layers, in the same words for every family."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.encoders.activations import ACTIVATIONS

MOST = 10_000_000  # of every size; a config or a record with more is damaged

_Size = Annotated[int, Field(ge=1, le=MOST)]
_Count = Annotated[int, Field(ge=0, le=MOST)]
_Share = Annotated[float, Field(ge=0, lt=1)]
# The records of all checkpoints hold these, since the first release. Their names are those of BERT's config.
_COMMON = frozenset(
    {
        "vocab_size",
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "hidden_act",
        "layer_norm_eps",
        "max_position_embeddings",
        "type_vocab_size",
    }
)
_ONLY_IN_TRAINING = frozenset({"hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range"})


class Architecture(BaseModel):
    """The form of an encoder's embeddings and layers.

    The number of layers is not a part of it: a branch fits any trunk whose layers below its tap are the same, however
    deep that trunk is.

    max_position_embeddings: the most tokens of a sequence. type_vocab_size: 0 if the encoder reads no token types.
    embedding_size: of the embeddings, if a projection makes them as wide as the layers (ELECTRA); else 0.
    position_table: whether the embeddings hold a vector for each position.
    position_buckets: rows of each layer's table of relative positions (MPNet), 0 without one.
    global_rotary_base, local_rotary_base: of rotary positions in layers with global and local attention, 0 without.
    local_window: in layers with local attention a token sees that many to each side; 0 if all attention is global.
    global_every: of that many layers the lowest has global attention, the others local.
    norm_first: whether layers normalize what they read (ModernBERT), not what they write. The lowest layer then reads
        the embeddings as they are, which are normalized, and a norm follows the highest layer.
    gated: whether the feed-forward part has a second projection that gates the first.
    attention_bias, feed_forward_bias, norm_bias: whether these have biases.
    The dropouts and initializer_range serve training only, and are not recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    family: str = Field(default="bert", max_length=100)
    vocab_size: _Size
    hidden_size: _Size
    num_attention_heads: _Size
    intermediate_size: _Size
    hidden_act: str
    layer_norm_eps: Annotated[float, Field(ge=0, le=1)]
    max_position_embeddings: _Size
    type_vocab_size: _Count
    embedding_size: _Count = 0
    position_table: bool = True
    position_buckets: _Count = 0
    global_rotary_base: Annotated[float, Field(ge=0)] = 0.0
    local_rotary_base: Annotated[float, Field(ge=0)] = 0.0
    local_window: _Count = 0
    global_every: _Size = 1
    norm_first: bool = False
    gated: bool = False
    attention_bias: bool = True
    feed_forward_bias: bool = True
    norm_bias: bool = True
    hidden_dropout_prob: _Share = 0.1
    attention_probs_dropout_prob: _Share = 0.1
    initializer_range: Annotated[float, Field(ge=0)] = 0.02

    @model_validator(mode="after")
    def _is_computed(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"has a hidden_size of {self.hidden_size}, which its {self.num_attention_heads} attention heads do "
                "not divide"
            )
        if self.global_rotary_base and self.hidden_size // self.num_attention_heads % 2:
            raise ValueError("has attention heads of an odd width, which rotary positions cannot turn")
        if self.hidden_act not in ACTIVATIONS:
            raise ValueError(
                f"has an unknown activation, {self.hidden_act!r:.60}: Espalier computes {', '.join(ACTIVATIONS)}"
            )
        return self

    def recorded(self) -> dict[str, Any]:
        """Returns what checkpoints, registry and fingerprint hold: everything that decides an output.

        What only other families have is left out where it has BERT's value, so that records and fingerprints of the
        first release hold.
        """
        special = self.model_dump(exclude={*_COMMON, *_ONLY_IN_TRAINING}, exclude_defaults=True)
        return self.model_dump(include=set(_COMMON)) | special

    def window(self, layer: int) -> int:
        """How many tokens to each side a token sees in the layer of this number, from 0; 0: all."""
        return self.local_window if layer % self.global_every else 0

    def rotary_base(self, layer: int) -> float:
        """The base of the rotary positions in the layer of this number, from 0; 0 without them."""
        return self.local_rotary_base if layer % self.global_every else self.global_rotary_base

    def normalizes_input(self, layer: int) -> bool:
        """Whether the layer of this number, from 0, normalizes what its attention reads."""
        return self.norm_first and layer > 0

    def layer_form(self, layer: int) -> tuple[int, float, bool]:
        """What may differ between layers. Layers of equal forms compute the same but for their weights."""
        return self.window(layer), self.rotary_base(layer), self.normalizes_input(layer)
