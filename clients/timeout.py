"""The one check of a timeout."""

import math

from clients.errors import RequestRejected


def checked_timeout(seconds: float) -> float:
    """Returns the seconds as a float. Raises RequestRejected unless they are positive and finite."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise RequestRejected(f"timeout must be a positive number of seconds, not {seconds!r}")
    return float(seconds)
