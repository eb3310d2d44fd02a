"""One labelled input of a task."""

from dataclasses import dataclass

Label = str | float | tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A text (or a pair of texts) with its label, for every kind of task.

    label: a class name, a float (pair regression), a BIO tag per word (tagging), or the class names that apply
        (multi-label).
    words: for tagging, the (start, end) character offsets of each word in `text`, end exclusive; else empty.
    """

    text: str
    label: Label
    text_pair: str | None = None
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class UnlabelledExample(Example):
    """An input that the data gives no label. `label` is a placeholder, or what a model answers; no loss reads it."""


# ("FILE, line N", the example read from there)
Located = tuple[str, Example]
