"""A file to which lines are appended by a thread, so that a slow disk or a full pipe holds up no request."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter

from build_tools.serving.errors import ServeError

STANDARD_OUTPUT = "-"
_STDOUT = 1
_MOST_WAITING = 20_000  # lines; beyond them they are dropped
_PAUSE_SECONDS = 0.05  # in which lines collect, to be written at once: a wake-up for each would cost the requests time
_CLOSE_SECONDS = 5.0

_DROPPED = Counter("espalier_access_log_dropped", "Lines of the access log that could not be written in time")


def check_target(target: str) -> None:
    """Raises ServeError if lines cannot be appended to this target."""
    os.close(_opened(target))


class LineFile:
    """Appends lines, whole ones only: several processes may write to one file.

    A file that was renamed or removed (logrotate) is opened anew at the next line; one that was cut to nothing
    (copytruncate) is written on from its new end. Lines that cannot be written are counted as dropped.
    """

    def __init__(self, target: str) -> None:
        """target: a file, or `-` for standard output. Raises ServeError if it cannot be opened."""
        self._target = target
        self._lines: queue.SimpleQueue[Callable[[], str] | None] = queue.SimpleQueue()
        self._told = False
        self._file = _opened(target)
        self._thread = threading.Thread(target=self._write_on, name="access log", daemon=True)
        self._thread.start()

    def add(self, line: Callable[[], str]) -> None:
        """Adds a line without its end. line: makes it, and is called in the thread; one that raises is dropped."""
        if self._lines.qsize() >= _MOST_WAITING:
            _DROPPED.inc()
        else:
            self._lines.put(line)

    def close(self) -> None:
        """Writes what waits, for some seconds at most, and closes the file."""
        self._lines.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _write_on(self) -> None:
        is_open = True
        while is_open:
            waiting = [self._lines.get()]
            if waiting[0] is not None:
                time.sleep(_PAUSE_SECONDS)
            while not self._lines.empty():
                waiting.append(self._lines.get())
            is_open = None not in waiting
            lines = [made for line in waiting if line is not None and (made := self._made(line))]
            if lines:
                self._write(lines)
        os.close(self._file)

    def _made(self, line: Callable[[], str]) -> bytes | None:
        try:
            return f"{line()}\n".encode(errors="replace")
        except Exception:  # a bug: but without this thread there would be no access log any more
            _DROPPED.inc()
            logging.getLogger(__name__).exception("a line of the access log cannot be made")
            return None

    def _write(self, lines: list[bytes]) -> None:
        try:
            self._reopen_if_moved()
            left = memoryview(b"".join(lines))
            while left:
                left = left[os.write(self._file, left) :]
            self._told = False
        except (OSError, ServeError) as error:
            _DROPPED.inc(len(lines))
            if not self._told:  # once, and not for each line while the disk is full
                logging.getLogger(__name__).error("the access log %s cannot be written: %s", self._target, error)
                self._told = True

    def _reopen_if_moved(self) -> None:
        if self._target == STANDARD_OUTPUT:
            return
        own = os.fstat(self._file)
        try:
            there = Path(self._target).stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino):
            moved, self._file = self._file, _opened(self._target)
            os.close(moved)


def _opened(target: str) -> int:
    if target == STANDARD_OUTPUT:
        return os.dup(_STDOUT)
    try:
        return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ServeError(
            f"{target} cannot be written ({error.strerror}): give another file as --access-log."
        ) from error
