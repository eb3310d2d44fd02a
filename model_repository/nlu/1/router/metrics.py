"""The router's own counters among Triton's metrics."""

from typing import Any

import triton_python_backend_utils as pb_utils

from router.candidates import Outcome
from router.registry import Version

_DESCRIPTIONS = {
    "espalier_tokens_total": "Number of tokens that went through the trunk, padding included",
    "espalier_padding_tokens_total": "Number of these tokens that were padding",
    "espalier_result_cache_hits_total": "Number of answers found in the result cache",
    "espalier_result_cache_misses_total": "Number of answers not found in the result cache",
}
_CANDIDATE_DESCRIPTIONS = {
    "espalier_candidate_answers_total": "Number of texts that a canary or shadow has answered",
    "espalier_candidate_errors_total": "Number of texts for which a canary or shadow has failed",
    "espalier_shadow_compared_total": "Number of texts that both a shadow and the live version have answered",
    "espalier_shadow_differing_total": "Number of these texts for which the two answers differ",
}


class RouterMetrics:
    """Counters with the label `model` (`nlu` or `nlu_stream`); a candidate's also have `task` and `version`.

    Use it from one thread only. Triton 2.51 dies (signal 11 in libtriton_python) if one metric is incremented twice at
    the same time: the second increment replaces the message in shared memory that the server is reading.
    """

    def __init__(self, model: str) -> None:
        self._families = {
            name: pb_utils.MetricFamily(name=name, description=text, kind=pb_utils.MetricFamily.COUNTER)
            for name, text in (_DESCRIPTIONS | _CANDIDATE_DESCRIPTIONS).items()
        }
        self._model = model
        self._counters = {name: self._families[name].Metric(labels={"model": model}) for name in _DESCRIPTIONS}
        self._candidate_counters: dict[tuple[str, Version], Any] = {}
        self._counted: dict[str, int] = {}

    def count_tokens(self, tokens: int, padding: int) -> None:
        """Adds one batch's tokens."""
        self._add("espalier_tokens_total", tokens)
        self._add("espalier_padding_tokens_total", padding)

    def set_cache_totals(self, hits: int, misses: int) -> None:
        """Raises the cache's counters to these totals."""
        for name, total in (("espalier_result_cache_hits_total", hits), ("espalier_result_cache_misses_total", misses)):
            self._add(name, total - self._counted.get(name, 0))
            self._counted[name] = total

    def count_candidate(self, version: Version, outcome: Outcome) -> None:
        """Adds what came of a candidate in one batch."""
        numbers = (outcome.answers, outcome.errors, outcome.compared, len(outcome.differing))
        for name, number in zip(_CANDIDATE_DESCRIPTIONS, numbers, strict=True):
            if (name, version) not in self._candidate_counters:
                labels = {"model": self._model, "task": version.task, "version": str(version.number)}
                self._candidate_counters[name, version] = self._families[name].Metric(labels=labels)
            if number:
                self._candidate_counters[name, version].increment(number)

    def _add(self, name: str, number: int) -> None:
        if number:  # each increment is a call to another process
            self._counters[name].increment(number)
