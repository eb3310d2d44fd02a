"""Where a pretrained model is: in a local folder, or on the Hugging Face hub under an id."""

import os
import re

from training.errors import TrainingError

_HUB_ID = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?", re.ASCII)


def check_place(what: str, name: str) -> None:
    """Raises TrainingError if `name` is neither a folder nor could be a hub id. what: for the message, "encoder".

    The libraries ask the hub for whatever is not a folder, and then speak of the hub to somebody who mistyped a path.
    """
    if os.path.isfile(name):  # noqa: PTH113 (Path raises OSError for a name that is too long)
        raise TrainingError(f"the {what} {name!r} is a file: give the folder that holds its config.json and weights.")
    if not os.path.isdir(name) and not _HUB_ID.fullmatch(name):  # noqa: PTH112 (the same)
        raise TrainingError(f"the {what} {name!r} is not a folder: give a folder that exists, or a hub id.")
