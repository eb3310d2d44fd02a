import csv
from pathlib import Path
from typing import Any

import pytest

from training.data.tabular import is_table, parse_cells, read_table
from training.errors import TrainingError
from training.kinds import Kind

WHERE = "folder/train.csv, line 7"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "table"), [("dev.csv", True), ("dev.TSV", True), ("dev.jsonl", False), ("csv", False)]
)
def test_tables_are_known_by_their_suffix(name: str, table: bool) -> None:
    assert is_table(Path(name)) is table


def test_csv_quotes_hold_commas_quotes_and_line_ends_and_lines_are_counted_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", 'text, label\n\n"a, ""b""\nc",x\r\n  \nno "quotes" here,y\n')
    assert list(read_table(path)) == [
        (f"{path}, line 3", {"text": 'a, "b"\nc', "label": "x"}),
        (f"{path}, line 6", {"text": 'no "quotes" here', "label": "y"}),
    ]


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tsv", 'text\tlabel\n"He said, ""no\tx\n')
    assert list(read_table(path)) == [(f"{path}, line 2", {"text": '"He said, ""no', "label": "x"})]


@pytest.mark.parametrize("name", ["train.csv", "train.tsv"])
def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, b"\xef\xbb\xbf" + b"label" + (b"," if name.endswith("csv") else b"\t") + b"text\nx")
    with pytest.raises(TrainingError, match="line 2: 1 cells"):
        list(read_table(path))
    write(path, path.read_bytes() + (b",a" if name.endswith("csv") else b"\ta"))
    assert [row for _, row in read_table(path)] == [{"label": "x", "text": "a"}]


def test_file_of_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert list(read_table(write(tmp_path / "a.csv", "text,label\n"))) == []
    assert list(read_table(write(tmp_path / "b.csv", ""))) == []


@pytest.mark.parametrize(
    ("name", "content", "line", "part"),
    [
        ("a.csv", "text,label\na,x\nb\n", 3, "1 cells, but the header has 2"),
        ("a.csv", "text,label\na, b,x\n", 2, "holds a comma must stand in double quotes"),
        (
            "a.tsv",
            "text\tlabel\na\tb\tx\n",
            2,
            "3 cells, but the header has 2: a text must hold no tab and no line end",
        ),
        ("a.csv", b"text,label\na,x\ncaf\xe9,x\n", 3, "not valid UTF-8 at byte 3 of the line"),
        ("a.csv", "text,label\na,x\nb\0,x\n", 3, "a NUL byte"),
        ("a.csv", 'text,label\na,x\n"b,x\nc,x\n', 3, "a double quote opens a cell here, but none closes it"),
        ("a.csv", 'text,label\n"a" b,x\n', 2, "not valid CSV: ',' expected after '\"'"),
        ("a.csv", "text,label\na\rb,x\n", 2, r"end each line with \n or \r\n"),
        ("a.csv", f"text,label\n{'a' * (csv.field_size_limit() + 1)},x\n", 2, "more than 131072 characters"),
        ("a.tsv", f"text\tlabel\n{'a' * (csv.field_size_limit() + 1)}\tx\n", 2, "more than 131072 characters"),
        ("a.csv", "text,label,text\na,x,b\n", 1, "the column 'text' twice"),
    ],
)
def test_bad_table_is_refused_naming_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, line: int, part: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(TrainingError) as error:
        list(read_table(path))
    assert str(error.value).startswith(f"{path}, line {line}: ")
    assert part in str(error.value)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"dev\.csv does not exist"):
        list(read_table(tmp_path / "dev.csv"))
    (tmp_path / "dev.tsv").mkdir()
    with pytest.raises(TrainingError, match=r"dev\.tsv is a folder"):
        list(read_table(tmp_path / "dev.tsv"))


@pytest.mark.parametrize(
    ("cell", "kind", "label"),
    [
        (" pos ", Kind.CLASSIFICATION, "pos"),
        ("1", Kind.CLASSIFICATION, "1"),
        ("2.50", Kind.PAIR_CLASSIFICATION, "2.50"),
        ("2", Kind.PAIR_REGRESSION, 2.0),
        ("a| b c |d", Kind.MULTI_LABEL, ["a", "b c", "d"]),
        ("", Kind.MULTI_LABEL, []),
        ("a|b", Kind.CLASSIFICATION, "a|b"),
        ("3", None, 3),
        ("2.5", None, 2.5),
        ("nan", None, "nan"),
        ("pos", None, "pos"),
    ],
)
def test_label_cell_is_read_as_the_kind_has_it(cell: str, kind: Kind | None, label: Any) -> None:
    parsed = parse_cells({"text": "a", "label": cell, "id": "7"}, kind, WHERE)
    assert parsed == {"text": "a", "label": label, "id": "7"}
    assert type(parsed["label"]) is type(label)


def test_tokens_and_tags_are_divided_at_blanks_alone() -> None:
    row = {"tokens": " New\u00a0York  is ", "tags": "B-city O", "intent": "a b"}
    assert parse_cells(row, Kind.TAGGING, WHERE) == {
        "tokens": ["New\u00a0York", "is"],
        "tags": ["B-city", "O"],
        "intent": "a b",
    }


@pytest.mark.parametrize(
    ("row", "kind", "part"),
    [
        ({"text": "a", "label": "2,5"}, Kind.PAIR_REGRESSION, "must be a number, not '2,5'"),
        ({"text": "a", "label": ""}, Kind.PAIR_REGRESSION, "must be a number, not ''"),
        ({"sentence": "a", "label": "x"}, None, "no column 'text', only 'sentence', 'label'"),
        ({"text": "a", "class": "x"}, Kind.CLASSIFICATION, "no column 'label', only 'text', 'class'"),
    ],
)
def test_cells_that_do_not_fit_are_refused_naming_file_and_line(
    row: dict[str, str], kind: Kind | None, part: str
) -> None:
    with pytest.raises(TrainingError) as error:
        parse_cells(row, kind, WHERE)
    assert str(error.value).startswith(f"{WHERE}: ")
    assert part in str(error.value)
