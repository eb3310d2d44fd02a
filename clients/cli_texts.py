"""The texts that a command line names: its arguments, then the lines of a file or of standard input."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from clients.errors import RequestRejected

# How the client and the router name a text of a request: by its number in that request.
_IN_REQUEST = re.compile(r"^(?:text|texts\[)\s?(\d+)\]?(?=[\s:])")


def read_texts(arguments: Sequence[str], file: str | None) -> Iterator[tuple[str, str]]:
    """Yields (place, text) for the arguments and then for the file's lines as they are read ('-' is standard input).

    A place is "TEXT 2" or "FILE, line 3". Blank lines are skipped, with a sentence on stderr.
    Raises RequestRejected naming the argument that is empty, the file and line that is not UTF-8, for a file that
    cannot be read, and if there is no text at all.
    """
    count = 0
    for count, text in enumerate(arguments, start=1):
        if not text.strip():
            raise RequestRejected(f"TEXT {count} is empty: give some text")
        yield f"TEXT {count}", text
    if file is not None:
        for place, line in read_lines(file):
            count += 1
            yield place, line
    if not count:
        raise RequestRejected(
            "no text to ask about: give TEXT, or --file with one text a line ('-' for standard input)"
        )


def read_lines(file: str) -> Iterator[tuple[str, str]]:
    """Yields ("FILE, line N", line) for a file's lines ('-' is standard input) that are not blank.

    Raises RequestRejected as read_texts does; a file may be empty.
    """
    name = "standard input" if file == "-" else file
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines:
            for number, raw in enumerate(lines, start=1):
                place = f"{name}, line {number}"
                text = _text(raw, place)
                if text.strip():
                    yield place, text
                else:
                    sys.stderr.write(f"espalier: {place} is empty and was skipped.\n")
    except OSError as error:
        raise RequestRejected(f"{name} cannot be read: {error.strerror}") from None


def at_its_place(error: RequestRejected, places: Sequence[str]) -> RequestRejected:
    """Returns the error with a text's number in its request replaced by the text's place.

    places: of the request's texts.
    """
    found = _IN_REQUEST.match(str(error))
    if found is None or int(found[1]) >= len(places):
        return error
    return type(error)(places[int(found[1])] + str(error)[found.end() :])


def _text(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise RequestRejected(f"{place} is not valid UTF-8: save the file as UTF-8 first") from None
