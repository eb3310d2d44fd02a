"""Collects what is to be counted, and hands it to the instruments a few times a second.

prometheus_client takes some microseconds for each number, and writes each to a file that several processes share. A
busy router has tens of numbers per batch. They are added up here first, for some tenths of a microsecond each.
"""

import threading
from typing import Any

_SECONDS = 0.25  # until what was counted shows in the metrics


class Tally:
    """Safe to share between threads. A thread of its own hands the numbers over while there are any."""

    def __init__(self) -> None:
        self._counts: dict[Any, float] = {}
        self._observed: list[tuple[Any, float]] = []
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._flush_again_and_again, name="tally", daemon=True).start()

    def add(self, counter: Any, number: float) -> None:
        """Adds to a counter (a child of prometheus_client's Counter)."""
        with self._lock:
            self._counts[counter] = self._counts.get(counter, 0) + number
        self._wake()

    def observe(self, histogram: Any, value: float) -> None:
        """Adds a value to a histogram."""
        with self._lock:
            self._observed.append((histogram, value))
        self._wake()

    def flush(self) -> None:
        """Hands over all that was collected so far."""
        with self._flushing:
            with self._lock:
                self._waiting.clear()
                counts, self._counts = self._counts, {}
                observed, self._observed = self._observed, []
            for counter, number in counts.items():
                counter.inc(number)
            for histogram, value in observed:
                histogram.observe(value)

    def close(self) -> None:
        """Ends the thread, and hands over what is left."""
        self._closed.set()
        self._waiting.set()
        self.flush()

    def _wake(self) -> None:
        if not self._waiting.is_set():
            self._waiting.set()

    def _flush_again_and_again(self) -> None:
        while not self._closed.is_set():
            self._waiting.wait()
            self._closed.wait(_SECONDS)
            self.flush()
