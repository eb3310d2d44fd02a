"""Checks that a folder's config and weights are those of a BERT whose layers Espalier computes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from transformers import BertConfig
from transformers.activations import ACT2FN

from training.branch_record import MOST_LAYERS
from training.errors import TrainingError

_MOST = 10_000_000  # of every other size
_NAMED = 3  # a message names at most this many tensors
# Tensors that the trunk and the branches do not read. `position_ids` is the constant 0, 1, 2, ... in old checkpoints.
_HEADS = re.compile(r"(bert\.)?(cls|classifier|qa_outputs|pooler)\.|(bert\.)?embeddings\.position_ids$")
_POOLER = re.compile(r"(bert\.)?pooler\.")


def check_config(name: str, config: BertConfig) -> None:
    """Raises TrainingError if a value in the config makes layers compute something that Espalier does not compute."""
    if config.model_type != "bert":
        raise TrainingError(f"the encoder {name!r} is a {config.model_type!r} model; Espalier needs a BERT model.")
    for field in ("is_decoder", "add_cross_attention", "quantization_config", "pruned_heads"):
        if getattr(config, field, None):
            raise TrainingError(
                f"the encoder {name!r} has {field} = {getattr(config, field)!r} in its config.json: Espalier needs a "
                "plain BERT encoder, without it."
            )
    positions = getattr(config, "position_embedding_type", None) or "absolute"
    if positions != "absolute":
        raise TrainingError(
            f"the encoder {name!r} has position embeddings of the type {positions!r}: Espalier computes only absolute "
            "ones, so choose another encoder."
        )
    if "AutoModel" in (getattr(config, "auto_map", None) or {}):
        raise TrainingError(
            f"the encoder {name!r} computes its layers with code of its own (auto_map in its config.json): Espalier "
            "needs a plain BERT model."
        )
    if not isinstance(config.hidden_act, str) or config.hidden_act not in ACT2FN:
        raise TrainingError(f"the encoder {name!r} has an unknown activation, hidden_act = {config.hidden_act!r}.")
    for field in (
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "type_vocab_size",
    ):
        most = MOST_LAYERS if field == "num_hidden_layers" else _MOST
        if not 1 <= getattr(config, field) <= most:
            raise TrainingError(f"the encoder {name!r} must have a {field} of 1 to {most} in its config.json.")
    if config.hidden_size % config.num_attention_heads:
        raise TrainingError(
            f"the encoder {name!r} has a hidden_size of {config.hidden_size}, which its {config.num_attention_heads} "
            "attention heads do not divide."
        )


def check_weights(name: str, loading: Mapping[str, Any]) -> None:
    """Raises TrainingError if a parameter was not in the file, or a tensor of the file was not used.

    loading: the loading info of `from_pretrained`. The pooler may be missing, and task heads may be left over.
    """
    missing = sorted(key for key in loading["missing_keys"] if not _POOLER.match(key))
    if missing:
        raise TrainingError(
            f"the weights of the encoder {name!r} lack {_some(missing)}: the file does not hold the BERT that its "
            "config.json describes."
        )
    mismatched = sorted(str(key[0] if isinstance(key, tuple) else key) for key in loading["mismatched_keys"])
    if mismatched:
        raise TrainingError(
            f"the weights of the encoder {name!r} have other shapes than its config.json says: {_some(mismatched)}."
        )
    unused = sorted(key for key in loading["unexpected_keys"] if not _HEADS.match(key))
    if unused:
        raise TrainingError(
            f"the weights of the encoder {name!r} hold {_some(unused)}, which the BERT that its config.json describes "
            "does not have."
        )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
