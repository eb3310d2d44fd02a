"""A task's answer, read from the router's JSON. Does not know how the JSON travelled."""

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

    label, score: of classification; pair regression has the score alone.
    scores: {label: score} of all classes, if all_scores was asked for.
    labels: of multi-label tasks, the labels found; can be empty.
    spans: of tagging tasks, the spans found; can be empty.
    words: of tagging tasks, each word's scores of all tags, if all_scores was asked for.
    version: of the branch that answered.
    truncated: whether the text was longer than the task's maximum length, so that its end was cut off.
    error: one sentence instead of an answer, for example for a pair task asked without a pair.
    unavailable: whether the error will pass, because the branch is being brought back: ask again.
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
    unavailable: bool = False


class _Row(_Frozen):
    tasks: dict[str, Answer]


def read_row(row: str | bytes) -> dict[str, Answer]:
    """Returns {task: answer} of one text, from one row of the router's output `result`.

    Raises ServerFailed if the row is not the router's JSON.
    """
    try:
        return _Row.model_validate_json(row).tasks
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"]) or "result"
        raise unreadable(f"{place}: {first['msg']}") from None


def read_rows(rows: Sequence[str | bytes], expected: int) -> list[dict[str, Answer]]:
    """Returns the answers of a whole response. Raises ServerFailed if it does not have `expected` rows."""
    if len(rows) != expected:
        raise unreadable(f"{len(rows)} results for {expected} texts")
    return [read_row(row) for row in rows]
