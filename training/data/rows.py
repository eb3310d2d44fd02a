"""A row (a mapping, as read from JSONL or a data set) -> an Example of one kind."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.data.example import Example, Label, Located
from training.errors import TrainingError
from training.kinds import Kind

Row = Mapping[str, Any]

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_SHOWN = 60  # a message shows at most this many characters of a value


def located_examples(pairs: Sequence[tuple[str, Row]], kind: Kind) -> list[Located]:
    """The rows as examples. pairs: ("FILE, line N", row). Raises TrainingError, naming the place, for unusable rows."""
    return [(where, to_example(row, kind, where)) for where, row in pairs]


def to_example(row: Row, kind: Kind, where: str) -> Example:
    """The row as an example of `kind`. where: "FILE, line N", for messages.

    For kinds other than tagging, a row of tokens is read as one text, the tokens joined by spaces; its label is `label`
    or else `intent`. Raises TrainingError if a field is missing or has the wrong type.
    """
    if kind is Kind.TAGGING:
        return _tagging_example(row, where)
    if "tokens" in row and "text" not in row:
        label = {"label": row["intent"]} if "intent" in row else {}
        row = {"text": " ".join(_tokens(row, where)), **label, **row}
    if not kind.is_pair and row.get("text_pair") is not None:
        raise TrainingError(
            f"{where}: the row has a `text_pair`, but a task of kind {kind} reads one text: remove it, or name another "
            "--kind."
        )
    text = _text(row, "text", where)
    pair = _text(row, "text_pair", where) if kind.is_pair else None
    return Example(text, _label(row, kind, where), pair)


def _text(row: Row, field: str, where: str) -> str:
    if field not in row:
        raise _missing(field, where)
    value = row[field]
    if not isinstance(value, str):
        raise TrainingError(f"{where}: `{field}` must be a text, not {_shown(value)}.")
    if not value.strip():
        raise TrainingError(f"{where}: `{field}` is empty: give it a text or remove the row.")
    return value


def _label(row: Row, kind: Kind, where: str) -> Label:
    if "label" not in row:
        raise _missing("label", where)
    label = row["label"]
    if kind is Kind.PAIR_REGRESSION:
        if isinstance(label, bool) or not isinstance(label, (int, float)):
            raise TrainingError(
                f"{where}: `label` of a regression task must be a number, not {_shown(label)}{comma_hint(label)}."
            )
        return _finite(label, where)
    if kind is Kind.MULTI_LABEL:
        if not isinstance(label, list) or not all(isinstance(one, str) and one.strip() for one in label):
            raise TrainingError(f"{where}: `label` of a multi-label task must be a list of names, not {_shown(label)}.")
        return tuple(name.strip() for name in label)
    is_whole = isinstance(label, float) and label.is_integer()  # 1.0: what tables make of classes with numbers
    if isinstance(label, bool) or not (isinstance(label, (str, int)) or is_whole):
        raise TrainingError(
            f"{where}: `label` must be a name or an integer, not {_shown(label)}; --kind names a kind of other labels."
        )
    name = str(label).strip()  # blanks around a name are unintended; CSV strips them too
    if not name:
        raise TrainingError(f"{where}: `label` is empty: give it a name or remove the row.")
    return name


def _missing(field: str, where: str) -> TrainingError:
    return TrainingError(
        f"{where}: the field `{field}` is missing: add it, or rename another one with `fields` in task.json."
    )


def comma_hint(label: object) -> str:
    """The end of a message about a label that is not a number; empty unless it has a decimal comma."""
    if not isinstance(label, str) or not DECIMAL_COMMA.fullmatch(label):
        return ""
    return f": write {label.strip().replace(',', '.')}, with a point"


def _finite(label: float, where: str) -> float:
    try:
        number = float(label)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):  # Python's JSON reader takes NaN and Infinity
        raise TrainingError(f"{where}: `label` of a regression task must be a finite number, not {_shown(label)}.")
    return number


def _tagging_example(row: Row, where: str) -> Example:
    tokens, tags = _tokens(row, where), row.get("tags")
    if not isinstance(tags, list) or len(tokens) != len(tags):
        raise TrainingError(
            f"{where}: `tokens` and `tags` must be two lists of the same length, at least 1: give each token a tag."
        )
    words, start = [], 0
    tags = [tag.strip() if isinstance(tag, str) else tag for tag in tags]
    for token, tag in zip(tokens, tags, strict=True):
        if not isinstance(tag, str) or (tag != "O" and (tag[:2] not in ("B-", "I-") or len(tag) == 2)):
            raise TrainingError(f"{where}: a tag must be O, B-<type> or I-<type>, not {_shown(tag)}.")
        words.append((start, start + len(token)))
        start += len(token) + 1
    return Example(" ".join(tokens), tuple(tags), words=tuple(words))


def _tokens(row: Row, where: str) -> list[str]:
    tokens = row.get("tokens")
    if not isinstance(tokens, list) or not tokens:
        raise TrainingError(f"{where}: `tokens` must be a list of at least one token, not {_shown(tokens)}.")
    for token in tokens:
        if not isinstance(token, str) or not token:
            raise TrainingError(f"{where}: a token must be a text of at least one character, not {_shown(token)}.")
    return tokens


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
