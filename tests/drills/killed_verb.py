"""`espalier` that is killed on its way: `python killed_verb.py POINT FOLDER VERB ...`.

POINT: a number n: SIGKILL before the nth change of a file below FOLDER. "proposed": once a proposal is there, when it
first waits for the servers. "commit": right before registry.json is replaced. "committed": right after it.
"count": it lives, and prints "changed N files before the commit, M after it" at its end.

Where it is killed it prints what it was about to do.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from file_changes import changes_files, replaces_registry

_ROOT = Path(__file__).resolve().parents[2]


class Hook:
    """An audit hook (PEP 578)."""

    def __init__(self, point: str, folder: Path) -> None:
        self._point, self._folder = point, str(folder)
        self.changes = [0, 0]  # before the commit, after it
        self._is_proposed = self._is_committed = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "time.sleep" and self._is_proposed and self._point == "proposed":
            self._kill(event, arguments)
        if not changes_files(event, arguments) or self._folder not in str(arguments[0]):
            return
        if self._is_committed and self._point == "committed":
            self._kill(event, arguments)
        if replaces_registry(event, arguments):
            if self._point == "commit":
                self._kill(event, arguments)
            self._is_committed = True
        self._is_proposed |= event == "os.rename" and Path(arguments[1]).name == "proposal.json"
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
