"""One text of a request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from router.caller import Caller

TaskAnswers = dict[int, str]  # row number -> answer, as JSON


@dataclass(frozen=True)
class Row:
    """A text, what is asked of it, and who asks. pair: None where none was given."""

    text: str
    pair: str | None
    tasks: tuple[str, ...]
    all_scores: bool
    caller: Caller


def error_answers(sentences: Mapping[int, str]) -> TaskAnswers:
    """Answers that say why there is none, by row."""
    return {row: json.dumps({"error": sentence}, ensure_ascii=False) for row, sentence in sentences.items()}
