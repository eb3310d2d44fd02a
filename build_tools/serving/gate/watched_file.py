"""A file that is read again when it has changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Value = TypeVar("Value")


class WatchedFile(Generic[Value]):
    """What `read` makes of a file. A new state that cannot be read leaves the last good one in force.

    read: file -> value; may raise anything. failed: is told once of each state that cannot be read.
    """

    def __init__(
        self, file: Path, read: Callable[[Path], Value], start: Value, failed: Callable[[Exception], None]
    ) -> None:
        self._file = file
        self._read = read
        self._failed = failed
        self._seen: tuple[int, int] | None = None
        self.value = start

    def look(self) -> Value:
        """Returns the value of the file as it is now, at the cost of one stat if it has not changed."""
        try:
            stat = self._file.stat()
        except OSError:
            return self.value  # being replaced, or not there yet
        seen = (stat.st_mtime_ns, stat.st_ino)  # a replaced file has a new inode even within one tick of the clock
        if seen != self._seen:
            self._seen = seen  # before reading, so that a replacement in between is seen at the next look
            try:
                self.value = self._read(self._file)
            except Exception as error:  # a damaged file can raise almost any
                self._failed(error)
        return self.value
