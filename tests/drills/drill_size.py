"""How much a drill does: about a minute of it in `make test`, all of it in `make drills`."""

import os
from typing import TypeVar

Size = TypeVar("Size")

_IS_WHOLE = os.environ.get("DRILLS") == "whole"


def drill_size(minute: Size, whole: Size) -> Size:
    """Returns `whole` if the environment variable DRILLS is "whole", else `minute`."""
    return whole if _IS_WHOLE else minute
