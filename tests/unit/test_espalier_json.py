import json

import pytest

from espalier_json import MOST_LEVELS, NotJsonError, parse_json


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ("1" * 4000, int("1" * 4000)),
        ("[" * MOST_LEVELS + "]" * MOST_LEVELS, json.loads("[" * MOST_LEVELS + "]" * MOST_LEVELS)),
        ("[" + ", ".join(["[]"] * 500) + "]", [[]] * 500),
        (json.dumps("[" * 500), "[" * 500),
        (json.dumps('"\\' + "{" * 500), '"\\' + "{" * 500),
        (r'"\ud83d\ude00"', "😀"),
        (json.dumps(r"\ud800"), r"\ud800"),
    ],
)
def test_json_is_read(content: bytes | str, expected: object) -> None:
    assert parse_json(content) == expected


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"", "not valid JSON: Expecting value at column 1"),
        (b"{", "not valid JSON"),
        (b'{"a": 1,\n"b" 2}', "not valid JSON: Expecting ':' delimiter at line 2, column 5"),
        (b'{"a": 1} {"b": 2}', "not valid JSON: Extra data"),
        (b"\x00\x01\x02", "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "not valid UTF-8 at byte 0"),
        (b'{"a": "\xe9"}', "not valid UTF-8 at byte 7"),
        ("\ufeff{}", "not valid JSON"),
        ("1" * 5000, "thousands of digits"),
        ('{"label": -' + "9" * 5000 + "}", "thousands of digits"),
        ("[" * 100_000, "in one another"),
        ("[" * 100_000 + "]" * 100_000, "in one another"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "in one another"),
        ("[" * (MOST_LEVELS + 1) + "]" * (MOST_LEVELS + 1), "in one another"),
        (r'{"text": "\ud800"}', "half a surrogate pair"),
        (r'{"\uDC00": 1}', "half a surrogate pair"),
    ],
)
def test_anything_else_is_one_phrase(content: bytes | str, phrase: str) -> None:
    with pytest.raises(NotJsonError) as error:
        parse_json(content)
    assert phrase in str(error.value)
    assert "\n" not in str(error.value)


def test_errors_of_the_hook_are_the_callers() -> None:
    def refuse(_: object) -> None:
        raise ValueError("a key twice")

    with pytest.raises(ValueError, match="a key twice"):
        parse_json("{}", object_pairs_hook=refuse)
