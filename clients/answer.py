"""What a task answers, and how it is read from the router's JSON. Knows no transport."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from clients.failure import unreadable


class _Frozen(BaseModel):
    # Unknown keys are ignored, so that a newer server does not break an older client.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Span(_Frozen):
    """A tagged stretch of the text: `text` is characters `start` to `end` (code points, end exclusive)."""

    start: int
    end: int
    text: str
    label: str
    score: float


class ScoredLabel(_Frozen):
    """One of the labels that a multi-label task found."""

    label: str
    score: float


class Word(_Frozen):
    """The scores of every tag for one word of the text, characters `start` to `end` (end exclusive)."""

    start: int
    end: int
    scores: dict[str, float]


class Answer(_Frozen):
    """One task's answer for one text. Fields that do not apply to the task's kind are None.

    label, score   classification (single or pair); pair regression has the score alone
    scores         label -> score of every class, on request (all_scores)
    labels         multi-label tasks: the labels found, possibly none
    spans          tagging tasks: the spans found, possibly none
    words          tagging tasks: the scores of every tag per word, on request (all_scores)
    version        version of the branch that answered
    truncated      the text was longer than the model reads; the rest had no part in the answer
    error          one sentence in place of an answer (e.g. a pair task asked without a pair)
    """

    label: str | None = None
    score: float | None = None
    scores: dict[str, float] | None = None
    labels: tuple[ScoredLabel, ...] | None = None
    spans: tuple[Span, ...] | None = None
    words: tuple[Word, ...] | None = None
    version: int | None = None
    truncated: bool = False
    error: str | None = None


class _Row(_Frozen):
    tasks: dict[str, Answer]


def read_row(row: str | bytes) -> dict[str, Answer]:
    """The answers by task of one text, from one row of the router's output `result`.

    Raises ServerFailed when it is not the router's JSON.
    """
    try:
        return _Row.model_validate_json(row).tasks
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"]) or "result"
        raise unreadable(f"{place}: {first['msg']}") from None


def read_rows(rows: Sequence[str | bytes], expected: int) -> list[dict[str, Answer]]:
    """The same for a whole response, which must have `expected` rows."""
    if len(rows) != expected:
        raise unreadable(f"{len(rows)} results for {expected} texts")
    return [read_row(row) for row in rows]
