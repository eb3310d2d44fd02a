"""Ranges of layers, above all of L, the layers fine-tuned in a teacher."""

import re
from collections.abc import Sequence

from training.errors import TrainingError


def default_range(encoder_layers: int) -> range:
    """Returns ceil(N/3)..floor(10N/12), in proportion to the paper's 4..10 of 12 layers: 2..5 of 6.

    Raises TrainingError for an encoder of one layer, which leaves no layer for a trunk.
    """
    if encoder_layers < 2:
        raise TrainingError(f"an encoder of {encoder_layers} layer has none for a trunk: choose a deeper encoder.")
    return range(-(-encoder_layers // 3), encoder_layers * 10 // 12 + 1)


def parse_range(text: str) -> range:
    """Reads a range of layers or epochs: `4-10` -> 4..10, `4` -> 4..4.

    Raises TrainingError if `text` has another form or runs backwards.
    """
    match = re.fullmatch(r"([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?", text.strip(), re.ASCII)
    if match is None:
        raise TrainingError(f"{text!r} is not a range: write the first and the last number, like 4-10.")
    least, most = int(match[1]), int(match[2] or match[1])
    if most < least:
        raise TrainingError(f"{text!r} runs backwards: write the smaller number first, like {most}-{least}.")
    return range(least, most + 1)


def parse_layers(text: str) -> list[int]:
    """Reads numbers of layers: `4-10`, `4`, or several of them, as `4,5,7,10`. Ascending, each once.

    Raises TrainingError as parse_range does.
    """
    return sorted({number for part in text.split(",") for number in parse_range(part)})


def check_taps(taps: Sequence[int], encoder_layers: int) -> None:
    """Raises TrainingError if a tap leaves no layer above it for a student. taps: ascending; may be empty."""
    if taps and taps[-1] >= encoder_layers:
        raise TrainingError(
            f"a tap must be 1..{encoder_layers - 1} for an encoder of {encoder_layers} layers, not {taps[-1]}."
        )


def check_range(layers: Sequence[int], encoder_layers: int) -> None:
    """Raises TrainingError if an L leaves no trunk, because its tap would be 0 or less. layers: ascending."""
    if layers[-1] >= encoder_layers:
        raise TrainingError(
            f"L must be 1..{encoder_layers - 1} for an encoder of {encoder_layers} layers (tap 0 would leave no trunk "
            f"to share), not {layers[0]}-{layers[-1]}."
        )
