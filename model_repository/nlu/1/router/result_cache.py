"""A cache of answers: assistants are asked the same again and again."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from router.registry import Registry, Version
from router.row import Row, TaskAnswers

Key = tuple[str, str | None, str, int, bool]  # text, pair, task, version, all_scores
_ENTRY_BYTES = 400  # what Python's objects of one entry take beside its texts


class ResultCache:
    """The most recently used answers by text, pair, task and version, in at most `limit` bytes; 0 keeps none.

    A new version of one task leaves the entries of all other tasks valid. Nobody asks for the old version's entries any
    more, so they are the first to go.

    hits, misses: numbers of answers found and not found.
    """

    def __init__(self, limit: int) -> None:
        self.hits = self.misses = 0
        self._limit = limit
        self._bytes = 0
        self._entries: OrderedDict[Key, str] = OrderedDict()
        self._lock = threading.Lock()  # the branches of a batch end in several threads

    def look_up(self, rows: Sequence[Row], registry: Registry) -> tuple[list[Row], dict[str, TaskAnswers]]:
        """Returns the rows, with the tasks that are still to be computed, and the known answers by task."""
        if not self._limit:
            return list(rows), {}
        known: dict[str, TaskAnswers] = {}
        remaining = []
        with self._lock:
            for number, row in enumerate(rows):
                missing = []
                for task in row.tasks:
                    key = _key(row, registry.version_for(task, row.text, row.pair))
                    if key in self._entries:
                        self._entries.move_to_end(key)
                        known.setdefault(task, {})[number] = self._entries[key]
                    else:
                        missing.append(task)
                self.misses += len(missing)
                self.hits += len(row.tasks) - len(missing)
                remaining.append(replace(row, tasks=tuple(missing)))
        return remaining, known

    def keep(self, row: Row, version: Version, answer: str) -> None:
        """Adds an answer. Drops the least recently used ones beyond the limit."""
        if not self._limit:
            return
        key = _key(row, version)
        size = _size(key, answer)
        with self._lock:
            if size > self._limit or key in self._entries:
                return
            self._entries[key] = answer
            self._bytes += size
            while self._bytes > self._limit:
                oldest, dropped = self._entries.popitem(last=False)
                self._bytes -= _size(oldest, dropped)


def _key(row: Row, version: Version) -> Key:
    # Single-text tasks do not read the pair, so it is not part of their key.
    return row.text, row.pair if version.is_pair else None, version.task, version.number, row.all_scores


def _size(key: Key, answer: str) -> int:
    text, pair, *_ = key
    # Python takes up to four bytes for a character. A text counts once for each of its answers.
    return _ENTRY_BYTES + 4 * (len(text) + len(pair or "") + len(answer))
