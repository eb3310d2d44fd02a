"""One text of a request."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A text, and what is asked of it. pair: None where none was given."""

    text: str
    pair: str | None
    tasks: tuple[str, ...]
    all_scores: bool
