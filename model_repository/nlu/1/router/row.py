"""One text of a request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from router.caller import Caller

TaskAnswers = dict[int, str]  # row number -> answer, as JSON


@dataclass(frozen=True)
class Row:
    """A text, the tasks asked of it, and the caller that asks. pair: None if the request gives none."""

    text: str
    pair: str | None
    tasks: tuple[str, ...]
    all_scores: bool
    caller: Caller


def error_answers(sentences: Mapping[int, str], unavailable: bool = False) -> TaskAnswers:
    """Returns answers that say why there is none. sentences: by row. unavailable: whether asking again may help."""
    more = {"unavailable": True} if unavailable else {}
    return {row: json.dumps({"error": sentence, **more}, ensure_ascii=False) for row, sentence in sentences.items()}
