"""The pause between two attempts at what fails again and again: it doubles, up to a longest one."""

_DOUBLINGS = 20  # more than any longest pause needs; 2**1024, after some hours of attempts, is no float any more


def pause_after(failed: int, first: float, longest: float) -> float:
    """Returns the seconds to wait after so many failures in a row: first * 2**failed, but at most `longest`."""
    return min(first * 2 ** min(failed, _DOUBLINGS), longest)
