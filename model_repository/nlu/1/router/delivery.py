"""What comes of each version in one batch: it is handed to the callers, counted, and kept for the next time."""

import json
from collections.abc import Callable, Mapping, Sequence

from router.answer_from_logits import Answer
from router.answered_labels import answered_labels
from router.candidates import Candidates
from router.equipment import Equipment
from router.registry import Version
from router.route import Places
from router.row import Row, TaskAnswers, error_answers
from router.unavailable import NotAskedError, NotLoadedError, UnavailableError

_ID_SHOWN = 100  # characters
_JSON = json.JSONEncoder(ensure_ascii=False)  # made once: there are many answers


class Delivery:
    """Takes answers and failures. Safe to share between threads. put: hands (task, answers) to the callers."""

    def __init__(
        self,
        rows: Sequence[Row],
        equipment: Equipment,
        candidates: Candidates,
        put: Callable[[tuple[str, TaskAnswers]], None],
    ) -> None:
        self._rows = rows
        self._with = equipment
        self._candidates = candidates
        self._put = put

    def take(self, version: Version, answers: Mapping[int, Answer], seconds: float) -> None:
        """Takes a version's answers by row. seconds: how long they took to compute."""
        labels = answered_labels(version, answers.values())
        self._with.metrics.count_answers(version, len(answers), labels, seconds)
        self._candidates.add(version, answers, errors=0, seconds=seconds)
        texts = {row: _JSON.encode(answer) for row, answer in answers.items()}
        for row, text in texts.items():
            self._with.cache.keep(self._rows[row], version, text)
        if not self._candidates.is_shadow(version):
            self._put((version.task, texts))

    def fail(self, version: Version, places: Places, error: Exception, part: str, seconds: float | None = None) -> None:
        """Says that `part` could not be computed. seconds: how long the branch's call took, if it was called."""
        is_unavailable = isinstance(error, UnavailableError)
        self._with.metrics.count_errors(version, len(places), "unavailable" if is_unavailable else "failed")
        if not isinstance(error, NotAskedError | NotLoadedError):  # they say nothing about this version
            self._candidates.add(version, {}, errors=len(places), seconds=seconds)
        sentence = f"{part} cannot answer now, ask again: {error}" if is_unavailable else f"{part} failed: {error}"
        self._with.failures.add(version, len(places), sentence, (self._rows[row].caller.id for row in places))
        if not self._candidates.is_shadow(version):
            sentences = {row: self._for_caller(sentence, row) for row in places}
            self._put((version.task, error_answers(sentences, is_unavailable)))

    def _for_caller(self, sentence: str, row: int) -> str:
        """Returns the sentence with the request's id, by which the log can be searched."""
        request = self._rows[row].caller.id
        return f"{sentence} (request {request[:_ID_SHOWN]})" if request else sentence
