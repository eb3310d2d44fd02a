"""Small pieces of HTML. All text from users and servers goes through `escape`."""

from collections.abc import Mapping
from html import escape

_HUES = (210, 30, 130, 330, 55, 265, 180, 0)  # of labels, in the order of their names


def badge(text: str) -> str:
    """A short remark, such as a version."""
    return f'<span class="badge">{escape(text)}</span>'


def bar(label: str, share: float, is_found: bool) -> str:
    """One score (0..1) as a bar. is_found: whether it belongs to the answer."""
    width = max(0.0, min(1.0, share))
    return (
        f'<div class="bar{" found" if is_found else ""}"><span class="name">{escape(label)}</span>'
        f'<span class="room"><span class="fill" style="width:{width:.1%}"></span></span>'
        f'<span class="number">{share:.3f}</span></div>'
    )


def colours(labels: list[str]) -> Mapping[str, str]:
    """{label: CSS background}, the same for the same labels."""
    return {label: f"hsl({_HUES[place % len(_HUES)]} 70% 85%)" for place, label in enumerate(sorted(set(labels)))}


def note(text: str, is_error: bool = False) -> str:
    """A sentence."""
    return f'<p class="note{" error" if is_error else ""}">{escape(text)}</p>'
