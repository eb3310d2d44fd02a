"""JSON bodies, within bounds on how much there is in them."""

import re
from typing import Any

import orjson

from build_tools.serving.gate.refusal import Code, RefusedError

# Of a body: lists, objects and values. 64 texts with pair, tasks and all_scores have some 300. Brackets of three bytes
# each would become objects of 64.
_MOST_VALUES = 10_000
_STRUCTURE = b",[{"
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def parsed_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object that the body holds. Raises RefusedError (INVALID) if it holds none, or too much."""
    if len(body) > _MOST_VALUES and _holds_more(body, _MOST_VALUES):
        raise RefusedError(Code.INVALID, f"the body has more than {_MOST_VALUES} values, lists and objects.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(Code.INVALID, f"the body is not valid JSON: {error.msg} at byte {error.pos}.") from None
    if not isinstance(value, dict):
        raise RefusedError(Code.INVALID, "the body is not a JSON object: send {...}.")
    return value


def _holds_more(body: bytes, most: int) -> bool:
    """Whether there are more than `most` commas and opening brackets outside strings."""
    if _structure(body) <= most:
        return False
    count = place = 0
    for string in _STRINGS.finditer(body):
        count += _structure(body[place : string.start()])
        if count > most:
            return True
        place = string.end()
    return count + _structure(body[place:]) > most


def _structure(body: bytes) -> int:
    return len(body) - len(body.translate(None, _STRUCTURE))
