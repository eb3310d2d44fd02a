"""Runs the pieces of paper_protocol, several at a time.

Two processes of one thread each train almost twice as much as one of two threads (docs/experiments.md, Training), and
their processor seconds hold no waiting of one thread for another.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paper_protocol import Piece, hours

from build_tools.cores import usable_cores

ESPALIER = (sys.executable, "-u", "-c", "from espalier import main; main()")
LOOK_EVERY = 1.0  # seconds between two looks at what is running
# What a step frees stays with the process: asking the kernel for 14,000 pages in each step takes 6 % of its time.
MALLOC = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"


def threads_each(at_once: int) -> int:
    """Returns how many threads a piece may use where so many run at a time."""
    return max(1, usable_cores() // at_once)


@dataclass(frozen=True)
class Running:
    """A piece under way. start: of time.monotonic."""

    piece: Piece
    process: subprocess.Popen[bytes]
    log: Path
    start: float


def run_pieces(
    pieces: Callable[[], Sequence[Piece]],
    most_hours: float,
    at_once: int,
    logs: Path,
    program: Sequence[str] = ESPALIER,
    look_every: float = LOOK_EVERY,
) -> None:
    """Runs what is left, in the order given. A piece that fails is told, and others start.

    pieces: called again before each start, because later pieces use the learning rates that earlier ones chose.
    at_once: this many run at a time, and share the cores. logs: a folder; a piece's output is added to its file there.
    program: takes a piece's arguments. If this is ended, it ends what it has begun.
    """
    end = time.monotonic() + 3600 * most_hours
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads_each(at_once)), "GLIBC_TUNABLES": MALLOC}
    logs.mkdir(parents=True, exist_ok=True)
    begun: set[str] = set()

    def left() -> list[Piece]:
        """What is not done and not begun, without what needs the rates of a piece that is not done."""
        undone = {one.name: one for one in pieces() if not one.is_done}
        return [one for name, one in undone.items() if name not in begun and one.after not in undone]

    with _ended_with_this() as running:
        while True:
            while len(running) < at_once and time.monotonic() < end:
                piece = next(iter(left()), None)
                if piece is None:
                    break
                begun.add(piece.name)
                running.append(_start(piece, program, environment, logs))
            if not running:
                break
            while not (ended := [one for one in running if one.process.poll() is not None]):
                time.sleep(look_every)
            for one in ended:
                running.remove(one)
                code = one.process.returncode
                outcome = "done" if code == 0 else f"FAILED with {code}, see {one.log},"
                print(f"{one.piece.name}: {outcome} after {hours(time.monotonic() - one.start)}", flush=True)
    if left():
        print(f"{most_hours:g} hours are over: start it again for the rest.")


def _start(piece: Piece, program: Sequence[str], environment: dict[str, str], logs: Path) -> Running:
    log = logs / f"{piece.name.replace(' ', '-')}.log"
    print(f"{piece.name}: see {log}", flush=True)
    with log.open("ab") as file:
        process = subprocess.Popen([*program, *piece.arguments], env=environment, stdout=file, stderr=file)
    return Running(piece, process, log, time.monotonic())


@contextmanager
def _ended_with_this() -> Iterator[list[Running]]:
    """A list of what is running; what is left in it at the end is killed, which a search takes no harm from."""
    running: list[Running] = []
    try:
        yield running
    finally:
        for one in running:
            one.process.kill()
        for one in running:
            one.process.wait()
