"""A served answer in the form that the offline metrics take."""

from clients import Answer
from training.data import Example
from training.kinds import Kind


def prediction(answer: Answer, example: Example, kind: Kind) -> object:
    """Label, value, or one tag per word of the example."""
    assert answer.error is None
    if kind is not Kind.TAGGING:
        return answer.score if kind is Kind.PAIR_REGRESSION else answer.label
    tags = ["O"] * len(example.words)
    for span in answer.spans or ():
        inside = [i for i, (start, end) in enumerate(example.words) if start < span.end and end > span.start]
        for place, word in enumerate(inside):
            tags[word] = f"{'I' if place else 'B'}-{span.label}"
    return tags
