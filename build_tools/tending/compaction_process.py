"""Compaction in a child process: it takes minutes and gigabytes, and canaries do not wait."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from build_tools.compaction.plan import share_outside
from build_tools.repository.registry import Registry

_AGAIN_SECONDS = 3600.0  # after one that has failed


class CompactionProcess:
    """Starts `espalier compact` when there is need, one at a time."""

    def __init__(self, share: float, arguments: Sequence[str], report: Callable[[str], None]) -> None:
        """share: of the tasks (0..1); more than that have to run outside. arguments: of `espalier compact`, too."""
        self._share = share
        self._command = [sys.executable, "-c", "import espalier; espalier.main()", "compact", *arguments]
        self._command += ["--when-needed", str(share)]  # it also knows which tasks cannot go in
        self._report = report
        self._child: subprocess.Popen[bytes] | None = None
        self._tried: dict[str, int] | None = None  # the live versions of the last one: what it left outside stays there
        self._again = 0.0

    def look(self, registry: Registry) -> None:
        """Starts one if there is need and none runs, and says when one has failed. Does not wait."""
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return
            self._child = None
            if code:
                self._tried, self._again = None, time.monotonic() + _AGAIN_SECONDS
                self._report(
                    f"the compaction failed (exit status {code}); in {_AGAIN_SECONDS / 60:.0f} min it is tried again"
                )
        live = {task: entry.live for task, entry in registry.tasks.items()}
        outside = share_outside(registry)
        if live != self._tried and time.monotonic() >= self._again and outside > self._share:
            self._report(f"compacting: {outside:.0%} of the tasks run outside the fused graph")
            self._tried = live
            self._child = subprocess.Popen(self._command)

    def end(self) -> None:
        """Ends one that runs: it undoes what it has begun."""
        if self._child is not None:
            self._child.terminate()
            self._child.wait()
            self._child = None
