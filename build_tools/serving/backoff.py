"""How long to wait before the next attempt at what has just failed."""

_MOST_DOUBLINGS = 30  # a float ends at 1023 of them, which what fails for hours does reach


def backoff(first: float, failed: int, longest: float) -> float:
    """Returns `first` seconds, doubled for each of the `failed` attempts in a row, and at most `longest`."""
    return min(first * 2 ** min(failed, _MOST_DOUBLINGS), longest)
