"""One task's answer as HTML: scores as bars, spans highlighted in the text."""

from html import escape

from clients.answer import Answer, Span
from clients.playground.markup import badge, bar, colours, note

_MOST_BARS = 6


def card(task: str, answer: Answer, text: str, remark: str = "", seconds: float | None = None) -> str:
    """A box with the answer of one task.

    text: what was asked. remark: what the version is, such as "live". seconds: from the request to the answer.
    """
    version = "" if answer.version is None else f"v{answer.version}"
    badges = [badge(" ".join(filter(None, (remark, version))))] if remark or version else []
    if seconds is not None:
        badges.append(badge(f"{seconds * 1000:.0f} ms"))
    if answer.truncated:
        badges.append(badge("text was cut"))
    head = f"<h3>{escape(task)}</h3>{''.join(badges)}"
    return f'<section class="card" data-task="{escape(task)}"><header>{head}</header>{body(answer, text)}</section>'


def body(answer: Answer, text: str) -> str:
    """What the answer says, by the kind of its task."""
    if answer.error is not None:
        return note(answer.error, is_error=True)
    if answer.spans is not None:
        return highlighted(text, answer.spans)
    if answer.labels is not None:
        found = {one.label: one.score for one in answer.labels}
        return _bars(answer.scores or found, set(found)) or note("no label")
    if answer.label is not None:
        return _bars(answer.scores or {answer.label: answer.score or 0.0}, {answer.label})
    return f'<p class="value">{answer.score:.3f}</p>' if answer.score is not None else note("no answer")


def highlighted(text: str, spans: tuple[Span, ...]) -> str:
    """The text, with each span marked and named."""
    colour = colours([span.label for span in spans])
    parts, end = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        parts.append(escape(text[end : span.start]))
        named = f'{escape(span.label)} <span class="number">{span.score:.2f}</span>'
        parts.append(
            f'<mark style="background:{colour[span.label]}">{escape(text[span.start : span.end])}'
            f"<small>{named}</small></mark>"
        )
        end = span.end
    parts.append(escape(text[end:]))
    return f'<p class="text">{"".join(parts)}</p>' + ("" if spans else note("no span"))


def _bars(scores: dict[str, float], found: set[str]) -> str:
    """The best scores, and all that were found."""
    best = sorted(scores.items(), key=lambda one: (one[0] not in found, -one[1]))
    shown = best[: max(_MOST_BARS, len(found))]
    rest = len(best) - len(shown)
    more = note(f"and {rest} labels with lower scores") if rest else ""
    return "".join(bar(label, score, label in found) for label, score in shown) + more
