"""The names of parameters in checkpoints and fingerprints, which must never change: those of BERT's in transformers.

Our modules have plainer names. This is the one place that knows both.
"""

from collections.abc import Iterable

EMBEDDINGS = {
    "words": "word_embeddings",
    "positions": "position_embeddings",
    "token_types": "token_type_embeddings",
    "norm": "LayerNorm",
    "projection": "projection",
}
LAYER = {
    "attention.norm": "attention.norm",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.position_bias": "attention.self.relative_attention_bias",
    "after_attention.attention_output": "attention.output.dense",
    "after_attention.attention_norm": "attention.output.LayerNorm",
    "after_attention.inner_norm": "intermediate.norm",
    "after_attention.inner": "intermediate.dense",
    "after_attention.gate": "intermediate.gate",
    "after_attention.outer": "output.dense",
    "after_attention.outer_norm": "output.LayerNorm",
}


def in_embeddings(name: str) -> str:
    """The stored name of a parameter of Embeddings."""
    return _translated(name, EMBEDDINGS)


def in_layer(name: str) -> str:
    """The stored name of a parameter of a Layer."""
    return _translated(name, LAYER)


def in_branch(names: Iterable[str]) -> dict[str, str]:
    """{a branch's parameter: its stored name}. Only those of layers differ."""
    return {name: _in_branch(name) for name in names}


def _in_branch(name: str) -> str:
    if not name.startswith("layers."):
        return name
    _, number, rest = name.split(".", 2)
    return f"layers.{number}.{in_layer(rest)}"


def _translated(name: str, table: dict[str, str]) -> str:
    module, _, kind = name.rpartition(".")
    return f"{table[module]}.{kind}"
