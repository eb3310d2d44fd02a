from pathlib import Path

import pytest

from training.data.jsonl import read_jsonl
from training.errors import TrainingError


def test_lines_come_with_file_and_line_number_and_blank_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes('{"text": "é", "label": 1}\n\n  \n{"text": "b\\ud83d\\ude00"}'.encode())
    assert list(read_jsonl(path)) == [
        (f"{path}, line 1", {"text": "é", "label": 1}),
        (f"{path}, line 4", {"text": "b😀"}),
    ]


def test_byte_order_mark_is_passed_over_at_the_start_alone(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\n\xef\xbb\xbf{"text": "b"}\n')
    rows = read_jsonl(path)
    assert next(rows) == (f"{path}, line 1", {"text": "a"})
    with pytest.raises(TrainingError, match="line 2: not valid JSON"):
        next(rows)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b'{"text": "a",}', "column 14: correct the line or remove it."),
        (b'{"text": "a"', "not valid JSON"),
        (b'{"text": "caf\xe9"}', "not valid UTF-8 at byte 13 of the line: save the file as UTF-8."),
        (b'["a"]', "must be a JSON object, not list: correct it or remove it."),
        (b"3", "must be a JSON object, not int"),
        (b'{"text": "a \\ud800 b"}', "half a surrogate pair"),
        (b'{"text": "a \\uD800 b"}', "half a surrogate pair"),
    ],
)
def test_bad_line_is_refused_naming_file_and_line(tmp_path: Path, line: bytes, part: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"text": "fine"}\n' + line + b'\n{"text": "fine"}\n')
    rows = read_jsonl(path)
    next(rows)
    with pytest.raises(TrainingError) as error:
        next(rows)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert part in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"dev\.jsonl does not exist"):
        list(read_jsonl(tmp_path / "dev.jsonl"))
