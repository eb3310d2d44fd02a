"""Checks that a config is that of an encoder whose layers Espalier computes, before any weight is read."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from training.branch_record import MOST_LAYERS
from training.encoders.families import FAMILIES, TITLES
from training.encoders.family import Family, RefusedEncoderError
from training.errors import TrainingError


def family_of(name: str, content: Mapping[str, Any]) -> Family:
    """Returns the family of the encoder `name`. content: its config.json.

    Raises TrainingError, with the families that are computed, if it is none of them.
    """
    model_type = content.get("model_type")
    if model_type is None:
        raise TrainingError(
            f"the encoder {name!r} could not be loaded: its folder has no config.json that says its model_type."
        )
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    if family is None:
        raise TrainingError(
            f"the encoder {name!r} is a {model_type!r:.60} model (model_type in its config.json), which Espalier does "
            f"not compute: choose one of {TITLES}."
        )
    return family


def check_config(name: str, family: Family, config: Any) -> None:
    """Raises TrainingError if a value in the config makes layers compute something that Espalier does not compute.

    config: a config of transformers.
    """
    for field in ("is_decoder", "add_cross_attention", "quantization_config", "pruned_heads"):
        if getattr(config, field, None):
            raise TrainingError(
                f"the encoder {name!r} has {field} = {getattr(config, field)!r} in its config.json: Espalier needs a "
                f"plain {family.title} encoder, without it."
            )
    positions = getattr(config, "position_embedding_type", None) or "absolute"
    if positions != "absolute":
        raise TrainingError(
            f"the encoder {name!r} has position embeddings of the type {positions!r}: Espalier computes only absolute "
            f"ones for {family.title}, so choose another encoder."
        )
    if "AutoModel" in (getattr(config, "auto_map", None) or {}):
        raise TrainingError(
            f"the encoder {name!r} computes its layers with code of its own (auto_map in its config.json): Espalier "
            f"needs a plain {family.title} model."
        )
    if not 1 <= config.num_hidden_layers <= MOST_LAYERS:
        raise TrainingError(
            f"the encoder {name!r} must have num_hidden_layers of 1 to {MOST_LAYERS} in its config.json."
        )
    try:
        family.architecture(config)
    except RefusedEncoderError as error:
        raise TrainingError(f"the encoder {name!r} {error}.") from error
    except ValidationError as error:
        raise TrainingError(f"the encoder {name!r} {_problem(error)}.") from error


def _problem(error: ValidationError) -> str:
    """The first problem as the end of a sentence about the encoder."""
    first = error.errors()[0]
    if not first["loc"]:  # a sentence of ours
        return first["msg"].removeprefix("Value error, ")
    field = ".".join(map(str, first["loc"]))
    return f"has {field} = {first['input']!r:.60} in its config.json ({first['msg']}): choose another encoder"
