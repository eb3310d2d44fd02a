"""Counters, gauges and histograms of prometheus_client, or stand-ins that count nothing.

With PROMETHEUS_MULTIPROC_DIR, prometheus_client keeps the numbers of all processes in files of that folder, from which
`espalier serve` answers /metrics. It decides so when it is imported. Without the variable each process counts for
itself. Where it is not installed, as in a bare container of NVIDIA's, nothing is counted, and the router works as well.
"""

import logging
import os
from typing import Any

try:
    import prometheus_client
except ImportError:
    prometheus_client = None  # type: ignore[assignment]

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class _Nothing:
    """Takes the place of each instrument."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def labels(self, *_: str, **__: str) -> "_Nothing":
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    def set(self, value: float) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


def _can_count() -> bool:
    if prometheus_client is None:
        logging.getLogger(__name__).info("prometheus_client is not installed: nothing is counted")
        return False
    folder = os.environ.get(_FOLDER)
    if folder is None or os.access(folder, os.W_OK | os.X_OK):
        return True
    logging.getLogger(__name__).warning("%s names %s, which cannot be written to: nothing is counted", _FOLDER, folder)
    return False


_counts = _can_count()
CollectorRegistry: Any = prometheus_client.CollectorRegistry if _counts else _Nothing
Counter: Any = prometheus_client.Counter if _counts else _Nothing
Gauge: Any = prometheus_client.Gauge if _counts else _Nothing
Histogram: Any = prometheus_client.Histogram if _counts else _Nothing
