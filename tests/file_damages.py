"""Damages of files, for tests that no damage is a traceback."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from espalier_errors import EspalierError

DEEP = 100_000

# The content that stands in place of a file, whatever the file is.
CONTENTS = {
    "empty": b"",
    "a blank line": b"\n",
    "binary": bytes(range(256)) * 4,
    "NUL bytes": b"\x00" * 64,
    "a byte order mark": b"\xef\xbb\xbf",
    "UTF-16": '{"text": "a"}\n'.encode("utf-16"),
    "latin-1": '{"text": "\xe9", "label": "\xe9"}\n'.encode("latin-1"),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
    "a page": b"<!DOCTYPE html>\n<html><body>404</body></html>\n",
    "deep lists": b"[" * DEEP + b"]" * DEEP + b"\n",
    "deep objects": b'{"text": ' * DEEP + b"1" + b"}" * DEEP + b"\n",
    "open lists": b"[" * DEEP + b"\n",
    "a long integer": b"1" * 5000 + b"\n",
    "a field with a long integer": b'{"text": "a", "label": ' + b"1" * 5000 + b', "format_version": 1}\n',
    "a list": b"[]\n",
    "a text": b'"text"\n',
    "a number": b"1\n",
    "null": b"null\n",
    "NaN": b"NaN\n",
    "an empty object": b"{}\n",
    "half a surrogate pair": b'{"text": "\\ud800", "label": "\\udfff"}\n',
    "two objects": b"{}{}\n",
}
# In place of a value in a JSON file.
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 99, 10**400, 10**4000, 0.5, float("nan"), float("inf"), "", "x", "\x00", "é" * 300),
    *([], {}, [[]], [None], {"x": None}, {"1": 1}, json.loads("[" * 90 + "]" * 90)),
)


def cut(content: bytes) -> Iterator[bytes]:
    """The content cut off after 1, 10, 50, 90 and 99 per cent, and with a byte changed at these places."""
    for percent in (1, 10, 50, 90, 99):
        place = len(content) * percent // 100
        yield content[:place]
        yield content[:place] + b"\xff" + content[place + 1 :]


def changed(document: Any) -> Iterator[Any]:
    """The JSON document with each of its values, the whole included, replaced by each of VALUES or left out."""
    for path in _paths(document):
        for value in VALUES:
            yield _with(document, path, value)
        if path and isinstance(path[-1], str):
            yield _without(document, path)
            yield _with(document, (*path[:-1], "unknown"), 1)


def _paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document[:2] if isinstance(document, list) else ())
    )
    for key, value in items:
        yield from _paths(value, (*path, key))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    whole = copy.deepcopy(document)
    _inner(whole, path)[path[-1]] = value
    return whole


def _without(document: Any, path: tuple[Any, ...]) -> Any:
    whole = copy.deepcopy(document)
    del _inner(whole, path)[path[-1]]
    return whole


def _inner(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def sentence_of(call: Callable[[], object]) -> str | None:
    """Returns the sentence of its error, or None if the call went well. Any other exception fails the test."""
    try:
        call()
    except (EspalierError, OSError) as error:
        sentence = str(error)
    else:
        return None
    assert sentence
    assert "\n" not in sentence
    return sentence
