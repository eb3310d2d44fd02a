"""The alarm for a file whose new state the gate does not take: it goes on with the last good one."""

import logging
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter

_REJECTED = Counter(
    "espalier_gate_files_rejected", "New states of a file that could not be used, so that the old one stays.", ["file"]
)


def alarm(what: str, file: Path) -> Callable[[Exception], None]:
    """Returns what WatchedFile calls with each error. what: the label on /metrics, such as keys."""
    _REJECTED.labels(what)  # a series from the start: Prometheus sees an increase only of one that it knows

    def sound(error: Exception) -> None:
        _REJECTED.labels(what).inc()
        logging.getLogger(__name__).error("%s stays as it was: %s", file, error)

    return sound
