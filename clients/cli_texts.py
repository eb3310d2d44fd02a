"""The texts that a command line names: its arguments, then the lines of a file or of standard input."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from clients.errors import RequestRejected


def read_texts(arguments: Sequence[str], file: str | None) -> Iterator[str]:
    """Yields the arguments and then the file's lines as they are read ('-' is standard input).

    Raises RequestRejected naming the argument, or file and line, that is empty or not UTF-8, for a file that
    cannot be read, and if there is no text at all.
    """
    count = 0
    for count, text in enumerate(arguments, start=1):
        if not text.strip():
            raise RequestRejected(f"TEXT {count} is empty: give some text")
        yield text
    if file is not None:
        for line in read_lines(file):
            count += 1
            yield line
    if not count:
        raise RequestRejected(
            "no text to ask about: give TEXT, or --file with one text a line ('-' for standard input)"
        )


def read_lines(file: str) -> Iterator[str]:
    """Yields a file's lines ('-' is standard input), of which there can be none. Raises as read_texts does."""
    name = "standard input" if file == "-" else file
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines:
            for number, raw in enumerate(lines, start=1):
                yield _text(raw, f"{name}, line {number}")
    except OSError as error:
        raise RequestRejected(f"{name} cannot be read: {error.strerror}") from None


def _text(raw: bytes, place: str) -> str:
    try:
        text = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise RequestRejected(f"{place} is not valid UTF-8: save the file as UTF-8 first") from None
    if not text.strip():
        raise RequestRejected(f"{place} is empty: give one text on every line")
    return text
