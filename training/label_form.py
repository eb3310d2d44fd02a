"""Which labels a task may have. They go into branch.json, registry.json, metrics, and every answer with all scores."""

import unicodedata
from collections.abc import Sequence

MOST_LABELS = 5000
MOST_CHARACTERS = 200  # of a label
# Categories of Unicode: control, half a surrogate pair, line and paragraph separators.
_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
_REORDERING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # shows a text other than it is


def check_labels_form(labels: Sequence[str]) -> None:
    """Raises ValueError, with a sentence, if there are too many, or if one is empty, too long or not plain text."""
    if len(labels) > MOST_LABELS:
        raise ValueError(f"there are {len(labels)} labels: at most {MOST_LABELS} are allowed")
    for label in labels:
        if not 0 < len(label) <= MOST_CHARACTERS:
            raise ValueError(f"the label {_begun(label)} has {len(label)} characters: give it 1 to {MOST_CHARACTERS}")
        check_plain("the label", label)


def check_plain(what: str, text: str) -> str:
    """Returns the text. Raises ValueError if it has characters that a terminal or a log does not show as they are."""
    for character in text:
        if character in _REORDERING or unicodedata.category(character) in _CONTROL:
            raise ValueError(f"{what} {_begun(text)} holds the control character U+{ord(character):04X}")
    return text


def _begun(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}..."
