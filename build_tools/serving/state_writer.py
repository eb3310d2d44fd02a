"""Tells what the supervisor knows: writes it when it changes, and all the time, which shows that the server lives."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from build_tools.serving.self_report import SelfReport
from build_tools.serving.state import ServerState


class StateWriter:
    """The state of one server. Its gates read the file; what /state says is written beside it.

    state: what is known now. Methods may be called from any thread, `set` from one only.
    """

    def __init__(self, file: Path, self_report: SelfReport, report: Callable[[str], None]) -> None:
        """report: is told when the server becomes ready, or is so no more, and if a file cannot be written."""
        self._file = file
        self._self_report = self_report
        self._report = report
        self._lock = threading.Lock()
        self._is_stopping = False
        self.state = ServerState(ready=False, reason="it is starting", written_at=time.monotonic())

    def set(self, **changes: object) -> None:
        """Changes these fields of the state, and writes it if it differs."""
        before = self.state
        self.state = before.model_copy(update=changes)
        if self.state.ready != before.ready:
            self._report("ready" if self.state.ready else f"not ready: {self.state.reason}")
        if self.state != before:
            self.write()

    def tell_stop(self) -> None:
        """Tells from now on that the server is being stopped."""
        self._is_stopping = True
        self.write()

    def count(self) -> None:
        """Counts for /state what takes a while to count."""
        self._self_report.count()

    def write(self) -> None:
        """Writes both files now."""
        with self._lock:
            state = self.state.model_copy(update={"written_at": time.monotonic()})
            if self._is_stopping:
                state = state.model_copy(update={"ready": False, "stopping": True, "reason": "it is being stopped"})
            try:
                state.write(self._file)
                self._self_report.write(state)
            except OSError as error:
                self._report(f"the state cannot be written: {error}")
