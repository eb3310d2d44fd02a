"""Where a pretrained model is: in a local folder, or on the Hugging Face hub under an id."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import TrainingError

_HUB_ID = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?", re.ASCII)
_HUB_SECONDS = 5.0  # in which the hub must answer


def check_place(what: str, name: str) -> None:
    """Raises TrainingError if `name` is neither a folder nor could be a hub id. what: for the message, "encoder".

    The libraries ask the hub for whatever is not a folder, and then speak of the hub to somebody who mistyped a path.
    """
    if os.path.isfile(name):  # noqa: PTH113 (Path raises OSError for a name that is too long)
        raise TrainingError(f"the {what} {name!r} is a file: give the folder that holds its config.json and weights.")
    if not os.path.isdir(name) and not _HUB_ID.fullmatch(name):  # noqa: PTH112 (the same)
        raise TrainingError(f"the {what} {name!r} is not a folder: give a folder that exists, or a hub id.")


@contextmanager
def offline_without_hub(name: str | Path) -> Iterator[None]:
    """Around the loading of `name`: if that is a hub id and the hub is silent, the libraries use their cache alone.

    By themselves they ask again and again for half a minute, for which huggingface_hub has no setting.
    """
    from huggingface_hub import constants  # here: who loads a folder does not need it

    if Path(name).is_dir() or constants.HF_HUB_OFFLINE or _hub_answers():
        yield
        return
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = False


def _hub_answers() -> bool:
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
    except Exception:  # of the library that it asks with, which differs between its releases
        return False
    return True
