from pathlib import Path

import pytest

from clients.errors import RequestRejected
from clients.load_test.texts import read_rows, shuffled


def _file(folder: Path, name: str, content: str) -> str:
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return str(file)


def test_a_text_file_holds_one_text_a_line_and_a_jsonl_file_pairs_too(tmp_path: Path) -> None:
    assert read_rows(_file(tmp_path, "a.txt", 'stop\n{"text": "x"}\n')) == [("stop", None), ('{"text": "x"}', None)]
    lines = '{"text": "ü", "label": 1}\n{"text": "b", "text_pair": "c"}\n{"text": "d", "text_pair": null}\n'
    assert read_rows(_file(tmp_path, "a.jsonl", lines)) == [("ü", None), ("b", "c"), ("d", None)]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", "one\n\ntwo\n", ", line 2 is empty"),
        ("a.txt", "same\nsame\n", "fewer than two different texts"),
        ("a.txt", "", "fewer than two different texts"),
        ("a.jsonl", '{"text": "a"}\nb\n', ", line 2 is not JSON"),
        ("a.jsonl", '{"text": "a"}\n["b"]\n', ", line 2 has no text"),
        ("a.jsonl", '{"text": "a"}\n{"text": " "}\n', ", line 2 has no text"),
        ("a.jsonl", '{"text": "a", "text_pair": 3}\n', ", line 1: `text_pair` must be a string"),
    ],
)
def test_a_bad_file_is_one_sentence_with_its_place(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    file = _file(tmp_path, name, content)
    with pytest.raises(RequestRejected) as error:
        read_rows(file)
    assert str(error.value).startswith(file)
    assert sentence in str(error.value)


def test_the_seed_alone_decides_the_order() -> None:
    rows = [(f"text {number}", None) for number in range(50)]
    assert shuffled(rows, 1) == shuffled(rows, 1)
    assert shuffled(rows, 1) != shuffled(rows, 2) != rows
    assert sorted(shuffled(rows, 1)) == sorted(rows)
