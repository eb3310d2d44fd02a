"""Folders that show changes late, as NFS does: `python late_folders.py SOURCE SEED MOST_SECONDS ORDER COPY...`.

Copies SOURCE to each COPY, prints "begun", and from then on each change of each file after a delay of its own, drawn
for each copy. A copy has whole files only. Runs until it is killed.

ORDER: "random" draws every delay from 0 to MOST_SECONDS. "registry first" shows the registries at once and everything
else after half of MOST_SECONDS or more; "registry last" the other way round.
"""

import os
import random
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

from build_tools.repository.proposal import PROPOSAL
from build_tools.repository.registry import REGISTRY

LOOK_SECONDS = 0.03
ORDERS = ("random", "registry first", "registry last")
Sign = tuple[int, int, int]  # of a file's content: inode, size, when it was changed


class LateFolder:
    """One copy. staging: a folder of its own on the same file system, for files that are not whole yet."""

    def __init__(self, source: Path, copy: Path, most_seconds: float, order: str, chance: random.Random) -> None:
        self._source, self._copy, self._staging = source, copy, copy.with_name(f"{copy.name}.staging")
        self._most, self._order, self._chance = most_seconds, order, chance
        self._staging.mkdir()
        self._shown: dict[str, Sign] = {}
        self._due: dict[str, float] = {}
        self.look(signs(source), at_once=True)

    def look(self, now: dict[str, Sign], at_once: bool = False) -> None:
        """now: the files of the source. Shows what is due; whatever else differs will be due later."""
        for name in self._shown.keys() | now.keys():
            if self._shown.get(name) == now.get(name):
                self._due.pop(name, None)  # it was changed back
                continue
            due = self._due.setdefault(name, time.monotonic() + (0 if at_once else self._delay(name)))
            if due <= time.monotonic():
                del self._due[name]
                self._show(name, now.get(name))

    def _delay(self, name: str) -> float:
        if self._order == "random":
            return self._chance.uniform(0, self._most)
        is_late = (name in (REGISTRY, PROPOSAL)) == (self._order == "registry last")
        return self._chance.uniform(0.5, 1.0) * self._most if is_late else 0.0

    def _show(self, name: str, sign: Sign | None) -> None:
        target = self._copy / name
        if sign is None:
            target.unlink(missing_ok=True)
            self._shown.pop(name, None)
            with suppress(OSError):  # the folder is not empty
                target.parent.rmdir()
            return
        staged = self._staging / "file"
        with suppress(FileNotFoundError):  # it has gone meanwhile: the next look sees that
            shutil.copy2(self._source / name, staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(target)
            self._shown[name] = sign


def signs(folder: Path) -> dict[str, Sign]:
    """{file's path: what tells its content from any earlier one}."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(FileNotFoundError):
                seen = path.stat()
                found[str(path.relative_to(folder))] = (seen.st_ino, seen.st_size, seen.st_mtime_ns)
    return found


def main(source: str, seed: str, most_seconds: str, order: str, *copies: str) -> None:
    """Ends by no means of its own."""
    chance = random.Random(int(seed))
    for copy in copies:
        Path(copy).mkdir()
    folders = [LateFolder(Path(source), Path(copy), float(most_seconds), order, chance) for copy in copies]
    print("begun", flush=True)
    while True:
        time.sleep(LOOK_SECONDS)
        now = signs(Path(source))
        for folder in folders:
            folder.look(now)


if __name__ == "__main__":
    main(*sys.argv[1:])
