"""Reads JSON that somebody else wrote. Apart, because every room of the project reads such files."""

import json
from collections.abc import Callable
from itertools import accumulate
from typing import Any

MOST_LEVELS = 100  # of objects and lists in one another; json's own limit depends on how deep the program is


class NotJsonError(ValueError):
    """A text is not JSON that Espalier reads. The message is a phrase such as "not valid JSON: ... at column 5"."""


def parse_json(content: bytes | str, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Returns the value that the text holds. A byte order mark at the start of bytes is skipped.

    object_pairs_hook: makes an object of its (key, value) pairs, as in json.loads.
    Raises NotJsonError for bytes that are not UTF-8, for wrong syntax, for an integer of thousands of digits, for more
    than MOST_LEVELS levels, and for half a surrogate pair, which tokenizers and files do not take.
    """
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise NotJsonError(f"not valid UTF-8 at byte {error.start}") from error
    if content.count("[") + content.count("{") > MOST_LEVELS and _levels(content) > MOST_LEVELS:
        raise NotJsonError(f"not readable: more than {MOST_LEVELS} lists and objects in one another")
    try:
        value = json.loads(content, object_pairs_hook=object_pairs_hook)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        raise NotJsonError(f"not valid JSON: {error.msg} at {where}") from error
    except RecursionError as error:  # from objects whose closing brackets are missing
        raise NotJsonError("not readable: too many lists and objects in one another") from error
    except ValueError as error:
        if "digits" not in str(error):  # object_pairs_hook raised it
            raise
        raise NotJsonError("not readable: it holds an integer of thousands of digits") from error
    if r"\ud" in content.lower():  # JSON can hold half a surrogate pair
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise NotJsonError("not valid Unicode: a \\u escape is half a surrogate pair") from error
    return value


def _levels(content: str) -> int:
    """Returns how many levels the brackets make, those in texts left out."""
    if '"' in content:
        content = "".join(content.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    return max(accumulate(({"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0) for character in content), initial=0))
