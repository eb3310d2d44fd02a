"""The range of L, the layers fine-tuned in a teacher."""

import re

from training.errors import TrainingError


def default_range(encoder_layers: int) -> range:
    """ceil(N/3)..floor(10N/12): the paper's 4..10 of 12 layers in proportion, so 2..5 of 6.

    Raises TrainingError for an encoder of one layer, which has no layer to spare for a trunk.
    """
    if encoder_layers < 2:
        raise TrainingError(f"an encoder of {encoder_layers} layer has none for a trunk: choose a deeper one.")
    return range(-(-encoder_layers // 3), encoder_layers * 10 // 12 + 1)


def parse_range(text: str) -> range:
    """Layers or epochs: `4-10` -> 4..10, `4` -> 4..4. Raises TrainingError if it is neither, or runs backwards."""
    match = re.fullmatch(r"([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?", text.strip(), re.ASCII)
    if match is None:
        raise TrainingError(f"{text!r} is no range: write the least and the most, like 4-10.")
    least, most = int(match[1]), int(match[2] or match[1])
    if most < least:
        raise TrainingError(f"{text!r} runs backwards: write the least first, like {most}-{least}.")
    return range(least, most + 1)


def check_range(layers: range, encoder_layers: int) -> None:
    """Raises TrainingError if an L of the range leaves no trunk (its tap would be 0 or less)."""
    if layers[-1] >= encoder_layers:
        raise TrainingError(
            f"L must be 1..{encoder_layers - 1} for an encoder of {encoder_layers} layers (tap 0 would leave no trunk "
            f"to share), not {layers[0]}-{layers[-1]}."
        )
