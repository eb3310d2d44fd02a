"""What is inside all gate processes of a server, in a file that they map into memory."""

import fcntl
import hashlib
import mmap
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PLACES = 4096  # of a process's table of callers; more callers than that are not counted apart
_HEADER = struct.Struct("<qdddd")  # see Totals
_PLACE = struct.Struct("<Qq")  # mark of a caller (0: empty), its requests inside
_FLOCK = struct.Struct("hhqqi4x")  # struct flock of <fcntl.h> on 64-bit Linux: type, whence, start, length, pid
_ROW = _HEADER.size + _PLACES * _PLACE.size


@dataclass(slots=True)
class Totals:
    """Of one process or of all.

    inside: requests. cost: theirs. answered: the cost of all that have been answered since the start. seconds, work:
    how long answers took lately, and the cost that was inside when their requests came; see ServiceTime.
    """

    inside: int = 0
    cost: float = 0.0
    answered: float = 0.0
    seconds: float = 0.0
    work: float = 0.0


class SharedLoad:
    """The counts of all processes, of which each writes its own row and reads all.

    So nothing needs a lock: a number of 8 bytes is written at once, and what is read may be some microseconds old.
    A process that dies leaves its row behind until the next one takes it, with the lock on its first byte, and clears
    it. file: the same for all processes; rows: at least one for each process.
    """

    def __init__(self, file: Path, rows: int) -> None:
        """Raises RuntimeError if all rows are taken."""
        self._rows = range(0, rows * _ROW, _ROW)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size < rows * _ROW:
            os.ftruncate(self._file, rows * _ROW)
        self._own = self._take_row()
        self._memory = mmap.mmap(self._file, rows * _ROW)
        self._memory[self._own : self._own + _ROW] = bytes(_ROW)
        self._own_part = Totals()

    def close(self) -> None:
        """Clears the row of this process and gives it free."""
        self._memory[self._own : self._own + _ROW] = bytes(_ROW)
        self._memory.close()
        os.close(self._file)

    def enter(self, cost: float) -> None:
        """A request is inside."""
        self._own_part.inside += 1
        self._own_part.cost += cost
        self._write()

    def leave(self, cost: float) -> None:
        """It has been answered, or given up."""
        own = self._own_part
        own.inside -= 1
        own.cost = own.cost - cost if own.inside else 0.0  # no rounding stays for ever
        self._write()

    def answer(self, cost: float) -> None:
        """It has been answered."""
        self._own_part.answered += cost
        self._write()

    def publish(self, seconds: float, work: float) -> None:
        """Tells the others this process's sums of what has been answered lately; see ServiceTime."""
        self._own_part.seconds, self._own_part.work = seconds, work
        self._write()

    def totals(self) -> "Totals":
        """Returns the sums of all processes."""
        return Totals(*map(sum, zip(*(_HEADER.unpack_from(self._memory, row) for row in self._rows), strict=True)))

    def inside_of(self, caller: str) -> int:
        """Returns how many requests of the caller are inside."""
        mark = _mark(caller)
        return sum(self._count(row, mark) for row in self._rows)

    def change(self, caller: str, by: int) -> None:
        """Counts a request of the caller in or out."""
        mark = _mark(caller)
        place = self._place(self._own, mark)
        if place is not None:
            known, count = _PLACE.unpack_from(self._memory, place)
            _PLACE.pack_into(self._memory, place, mark, count + by if known == mark else by)

    def _count(self, row: int, mark: int) -> int:
        place = self._place(row, mark)
        if place is None:
            return 0
        known, count = _PLACE.unpack_from(self._memory, place)
        return count if known == mark else 0

    def _place(self, row: int, mark: int) -> int | None:
        """Returns the offset of the caller's place, or of the empty one that it would get; None if all are taken."""
        for step in range(_PLACES):
            place = row + _HEADER.size + (mark + step) % _PLACES * _PLACE.size
            if _PLACE.unpack_from(self._memory, place)[0] in (0, mark):
                return place
        return None

    def _take_row(self) -> int:
        for row in self._rows:
            try:
                fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, row, 1, 0))
            except BlockingIOError:
                continue
            return row
        os.close(self._file)
        raise RuntimeError(f"all {len(self._rows)} rows are taken: more gate processes run than the settings say")

    def _write(self) -> None:
        own = self._own_part
        _HEADER.pack_into(self._memory, self._own, own.inside, own.cost, own.answered, own.seconds, own.work)


@lru_cache(maxsize=_PLACES)
def _mark(caller: str) -> int:
    return int.from_bytes(hashlib.blake2b(caller.encode(), digest_size=8).digest(), "little") or 1
