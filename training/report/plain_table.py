"""A table of texts and numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlainTable:
    """texts: how many columns, from the left, hold text; the others hold numbers."""

    headings: list[str]
    rows: list[list[str]]
    texts: int = 1
