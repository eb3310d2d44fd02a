"""Reads CSV and TSV files: a header with the column names, then one row per line."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.lines import read_lines
from training.data.rows import Row
from training.errors import TrainingError
from training.kinds import Kind

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LABEL_SEPARATOR = "|"  # between the names in the label column of a multi-label task


def is_table(path: Path) -> bool:
    """True if the file's suffix is .csv or .tsv."""
    return path.suffix.lower() in DELIMITERS


def read_table(path: Path) -> Iterator[tuple[str, Row]]:
    """Yields ("FILE, line N", {column: cell}) for each row; N is its first line; blank lines are skipped.

    A CSV has the usual double quotes. A TSV has no quoting, as in GLUE. Every cell is a text: see parse_cells.
    Raises TrainingError, naming file and line, for a missing file, invalid UTF-8, a NUL byte, wrong quoting, a cell
    longer than csv.field_size_limit(), a column named twice, or a row without exactly one cell per column.
    """
    delimiter = DELIMITERS[path.suffix.lower()]
    is_tsv = delimiter == "\t"
    reader = csv.reader(
        _lines(path), delimiter=delimiter, quoting=csv.QUOTE_NONE if is_tsv else csv.QUOTE_MINIMAL, strict=True
    )
    header: list[str] = []
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TrainingError(f"{where}: {_what_is_wrong(error)}") from error
        if len(cells) < 2 and not "".join(cells).strip():
            continue
        if not header:
            header = _header(cells, where)
            continue
        if len(cells) != len(header):
            hint = "must hold no tab and no line end" if is_tsv else "that holds a comma must stand in double quotes"
            raise TrainingError(f"{where}: {len(cells)} cells, but the header has {len(header)}: a text {hint}.")
        yield where, dict(zip(header, cells, strict=True))


def parse_cells(row: Row, kind: Kind | None, where: str) -> Row:
    """The row as JSONL would have it: tokens and tags split at spaces, the label parsed for `kind`.

    kind: None if it is still to be inferred; a numeric label then becomes a number.
    Raises TrainingError if the header lacks a column or a regression label is not a number.
    """
    missing = [field for field in ("text", "label") if field not in row and "tokens" not in row]
    if missing:
        raise TrainingError(
            f"{where}: the header names no column {missing[0]!r}, only {', '.join(map(repr, row))}: the file's first "
            f"line must name its columns; `fields` in task.json renames them."
        )
    parsed: dict[str, Any] = dict(row)
    for field in ("tokens", "tags"):
        if field in row:
            parsed[field] = [piece for piece in row[field].split(" ") if piece]
    if "label" in row:
        parsed["label"] = _label(row["label"].strip(), kind, where)
    return parsed


def _label(cell: str, kind: Kind | None, where: str) -> str | int | float | list[str]:
    if kind is Kind.MULTI_LABEL:
        return [name.strip() for name in cell.split(LABEL_SEPARATOR)] if cell else []
    if kind is None:
        return _number(cell)
    if kind is Kind.PAIR_REGRESSION:
        try:
            return float(cell)
        except ValueError as error:
            raise TrainingError(f"{where}: `label` of a regression task must be a number, not {cell!r}.") from error
    return cell


def _number(cell: str) -> str | int | float:
    for read in (int, float):
        try:
            value = read(cell)
        except ValueError:
            continue
        return value if math.isfinite(value) else cell
    return cell


def _lines(path: Path) -> Iterator[str]:
    for number, line in read_lines(path):
        if "\0" in line:  # Python's csv accepts it like any other character
            raise TrainingError(f"{path}, line {number}: a NUL byte: this is not a text file, or it is damaged.")
        yield line


def _header(cells: list[str], where: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        if names.count(name) > 1:
            raise TrainingError(f"{where}: the header names the column {name!r} twice.")
    return names


def _what_is_wrong(error: csv.Error) -> str:
    """One sentence for an error of the csv module, whose errors differ only in their wording."""
    message = str(error)
    if "field limit" in message:
        return f"a cell has more than {csv.field_size_limit()} characters: is a double quote left open?"
    if "unexpected end" in message:
        return "a double quote opens a cell here, but none closes it."
    if "new-line" in message:
        return r"a carriage return stands inside a row: end each line with \n or \r\n."
    return f"not valid CSV: {message}; a double quote inside a quoted cell is written twice."
