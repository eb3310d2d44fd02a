"""`espalier` that is killed on its way: `python killed_verb.py POINT FOLDER VERB ...`.

POINT: a number n: SIGKILL before the nth change of a file below FOLDER. "proposed": while it waits for servers to
prepare what it has proposed. "commit": right before registry.json is replaced. "committed": right after it.
"count": it lives, and prints "changed N files before the commit, M after it" at its end.

Where it is killed it prints what it was about to do.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from file_changes import changes_files, replaces_registry

WAITED_SECONDS = 0.1  # no server is as quick: it looks five times a second, and has something to load
_ROOT = Path(__file__).resolve().parents[2]


class Hook:
    """An audit hook (PEP 578)."""

    def __init__(self, point: str, folder: Path) -> None:
        self._point, self._folder = point, str(folder)
        self.changes = [0, 0]  # before the commit, after it
        self._is_committed = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not changes_files(event, arguments) or self._folder not in str(arguments[0]):
            return
        if self._is_committed and self._point == "committed":
            self._kill(event, arguments)
        if replaces_registry(event, arguments):
            if self._point == "commit":
                self._kill(event, arguments)
            self._is_committed = True
        if self._point == "proposed" and event == "os.rename" and Path(arguments[1]).name == "proposal.json":
            threading.Timer(WAITED_SECONDS, self._kill, (event, arguments)).start()
        self.changes[self._is_committed] += 1
        if str(sum(self.changes)) == self._point:
            self._kill(event, arguments)

    def _kill(self, event: str, arguments: tuple[Any, ...]) -> None:
        print(f"killed at {self._point}: {event} {arguments}", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def main(point: str, folder: str, *arguments: str) -> None:
    """Ends as the verb does."""
    from espalier import main as espalier

    hook = Hook(point, Path(folder))
    sys.addaudithook(hook)
    sys.argv = ["espalier", *arguments]
    try:
        espalier()
    finally:
        if point == "count":
            print(f"changed {hook.changes[0]} files before the commit, {hook.changes[1]} after it", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(_ROOT))
    main(*sys.argv[1:])
