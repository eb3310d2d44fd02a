"""Checks texts and makes the router's input columns. Does not know how they travel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from clients.errors import RequestRejected

MAX_BATCH_SIZE = 64  # max_batch_size in the config of nlu and nlu_stream


@dataclass(frozen=True)
class Column:
    """One input tensor of shape [B, 1]; `values` are its B rows: str for BYTES, bool for BOOL."""

    name: str
    datatype: Literal["BYTES", "BOOL"]
    values: list[Any]


@dataclass(frozen=True)
class Request:
    """Up to MAX_BATCH_SIZE checked texts. `pairs` has a row per text ("" = none) or is None.

    id: goes with the request, and Triton puts it into the answer: an answer with another id is somebody else's.
    headers: travel beside the message, as HTTP headers or gRPC metadata; their names are in lower case.
    seconds: what is left of the timeout; None is all of it.
    """

    texts: list[str]
    pairs: list[str] | None
    tasks: list[str] | None
    all_scores: bool
    id: str = field(default_factory=lambda: uuid4().hex)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def columns(self) -> list[Column]:
        """Returns the router's inputs, with the optional ones that are set."""
        columns = [Column("text", "BYTES", self.texts)]
        if self.pairs is not None:
            columns.append(Column("pair", "BYTES", self.pairs))
        if self.tasks is not None:
            columns.append(Column("tasks", "BYTES", [",".join(self.tasks)] * len(self)))
        if self.all_scores:
            columns.append(Column("all_scores", "BOOL", [True] * len(self)))
        return columns


def single_request(text: str, pair: str | None, tasks: Sequence[str] | None, all_scores: bool) -> Request:
    """Returns the request for one text. Raises RequestRejected for input that every server refuses."""
    _check_text("text", text)
    if pair is not None:
        _check_string("pair", pair)
    return Request([text], [pair] if pair else None, _checked_tasks(tasks), all_scores)


def split_requests(
    texts: Sequence[str],
    pairs: Sequence[str | None] | None,
    tasks: Sequence[str] | None,
    all_scores: bool,
) -> list[Request]:
    """Returns the requests for many texts, in order, at most MAX_BATCH_SIZE texts in each.

    It checks all rows first, so that a bad row does not stop the work half-way.
    Raises RequestRejected, naming the row, if one cannot be sent.
    """
    for name, value in (("texts", texts), ("pairs", pairs)):
        if isinstance(value, str | bytes):
            raise RequestRejected(f"{name} must be a list of texts, not one text: put it in a list or use predict()")
    rows = list(texts)
    for index, text in enumerate(rows):
        _check_text(f"texts[{index}]", text)
    pair_rows = None if pairs is None else list(pairs)
    if pair_rows is not None:
        if len(pair_rows) != len(rows):
            raise RequestRejected(
                f"pairs has {len(pair_rows)} rows and texts has {len(rows)}: "
                "give one pair per text, None where there is none"
            )
        for index, pair in enumerate(pair_rows):
            if pair is not None:
                _check_string(f"pairs[{index}]", pair)
    checked_tasks = _checked_tasks(tasks)
    return [Request(rows[part], _pair_column(pair_rows, part), checked_tasks, all_scores) for part in _parts(len(rows))]


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, MAX_BATCH_SIZE):
        yield slice(start, start + MAX_BATCH_SIZE)


def _pair_column(pairs: list[str | None] | None, part: slice) -> list[str] | None:
    if pairs is None or not any(pairs[part]):
        return None
    return [pair or "" for pair in pairs[part]]


def _check_text(name: str, value: object) -> None:
    _check_string(name, value)
    if isinstance(value, str) and not value.strip():
        raise RequestRejected(f"{name} is empty: give some text")


def _check_string(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise RequestRejected(f"{name} must be a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # A lone surrogate: what Python makes of bytes that are not UTF-8 in file names and command lines.
        raise RequestRejected(
            f"{name} is not valid UTF-8 at character {error.start}: decode it correctly first"
        ) from None


def _checked_tasks(tasks: Sequence[str] | None) -> list[str] | None:
    if tasks is None:
        return None
    if isinstance(tasks, str | bytes):
        raise RequestRejected(f"tasks must be a list of task names, not {tasks!r}: put it in a list")
    names = list(tasks)
    if not names:
        raise RequestRejected("the list of tasks is empty: name at least one task, or leave tasks out for all of them")
    for index, name in enumerate(names):
        _check_string(f"tasks[{index}]", name)
        # The names travel joined by commas, so one name with a comma would arrive as two.
        if not name.strip() or "," in name:
            raise RequestRejected(f"tasks[{index}] is {name!r}, which is not a task name: give one name per entry")
    return names
