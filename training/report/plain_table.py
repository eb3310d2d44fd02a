"""A table of the page that holds plain texts and numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlainTable:
    """texts: the number of columns, from the left, with text; the others hold numbers."""

    headings: list[str]
    rows: list[list[str]]
    texts: int = 1
