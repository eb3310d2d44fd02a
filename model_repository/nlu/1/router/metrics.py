"""The router's own counters among Triton's metrics."""

import triton_python_backend_utils as pb_utils

_DESCRIPTIONS = {
    "espalier_tokens_total": "Number of tokens that went through the trunk, padding included",
    "espalier_padding_tokens_total": "Number of them that were padding",
    "espalier_result_cache_hits_total": "Number of answers found in the result cache",
    "espalier_result_cache_misses_total": "Number of answers looked for in the result cache and not found",
}


class RouterMetrics:
    """Counters by name, each with the label `model`: which of the two routers.

    For one thread: Triton 2.51 dies (signal 11, libtriton_python) of two increments of one metric at the same time. The
    second replaces the message in shared memory that the server is reading.
    """

    def __init__(self, model: str) -> None:
        self._families = {
            name: pb_utils.MetricFamily(name=name, description=text, kind=pb_utils.MetricFamily.COUNTER)
            for name, text in _DESCRIPTIONS.items()
        }
        self._counters = {name: family.Metric(labels={"model": model}) for name, family in self._families.items()}
        self._told: dict[str, int] = {}

    def count_tokens(self, tokens: int, padding: int) -> None:
        """Adds one batch's tokens."""
        self._add("espalier_tokens_total", tokens)
        self._add("espalier_padding_tokens_total", padding)

    def tell_cache(self, hits: int, misses: int) -> None:
        """Brings the cache's counters to these totals."""
        for name, total in (("espalier_result_cache_hits_total", hits), ("espalier_result_cache_misses_total", misses)):
            self._add(name, total - self._told.get(name, 0))
            self._told[name] = total

    def _add(self, name: str, number: int) -> None:
        if number:  # each increment is a call to another process
            self._counters[name].increment(number)
