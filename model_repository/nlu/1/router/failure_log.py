"""Log lines about texts that were not answered, with the ids of their requests."""

import logging
import threading
import time
from collections.abc import Iterable

from router.registry import Version

_SECONDS = 1.0  # between two lines about the same version
_MOST_IDS = 5  # of a line


class FailureLog:
    """At most one line a second for each version, however many texts fail. Safe to share between threads."""

    def __init__(self) -> None:
        self._next: dict[Version, float] = {}
        self._unsaid: dict[Version, int] = {}
        self._lock = threading.Lock()

    def add(self, version: Version, texts: int, sentence: str, ids: Iterable[str]) -> None:
        """Says that a version did not answer this many texts, and why. ids: of the requests that they belong to."""
        now = time.monotonic()
        with self._lock:
            if now < self._next.get(version, 0.0):
                self._unsaid[version] = self._unsaid.get(version, 0) + texts
                return
            self._next[version] = now + _SECONDS
            unsaid = self._unsaid.pop(version, 0)
        of = ", ".join(sorted(filter(None, set(ids)))[:_MOST_IDS])
        logging.getLogger(__name__).warning(
            "version %d of %s: %d texts not answered%s%s: %s",
            version.number,
            version.task,
            texts,
            f" (and {unsaid} before)" if unsaid else "",
            f", requests {of}" if of else "",
            sentence,
        )
