"""The texts of a load test, read from a file."""

import json
import random
from collections.abc import Sequence

from clients.cli_texts import read_lines
from clients.errors import RequestRejected

Row = tuple[str, str | None]  # a text, and the second one for pair tasks


def read_rows(file: str) -> list[Row]:
    """Reads one text a line, or from a .jsonl file one object a line with `text` and optionally `text_pair`.

    Raises RequestRejected, naming file and line, for a bad row, and if all texts are the same.
    """
    lines = list(read_lines(file))
    if file.endswith(".jsonl"):
        rows = [_row(line, f"{file}, line {number}") for number, line in enumerate(lines, start=1)]
    else:
        rows = [(line, None) for line in lines]
    if len(set(rows)) < 2:
        # Caches and batches of one length would make a server look faster than it is.
        raise RequestRejected(f"{file} holds fewer than two different texts: a load test needs many, of mixed lengths")
    return rows


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """Returns the rows in random order, the same for the same seed: files are often sorted by label or length."""
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    return mixed


def _row(line: str, place: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError:
        raise RequestRejected(f"{place} is not JSON: a .jsonl file has one object on every line") from None
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise RequestRejected(f"{place} has no text: give an object with a string `text` that is not empty")
    pair = row.get("text_pair")
    if pair is not None and not isinstance(pair, str):
        raise RequestRejected(f"{place}: `text_pair` must be a string")
    return text, pair
