"""The choice of a task's teacher, paper section 3.1."""

from collections.abc import Mapping


def choose_teacher(scores: Mapping[int, float]) -> int:
    """Returns the L with the best score, the smallest among equals. scores: L -> points, at least one.

    Scores are compared to nine decimals, so that scores that differ only by rounding count as equal.
    """
    return max(scores, key=lambda layers: (round(scores[layers], 9), -layers))
