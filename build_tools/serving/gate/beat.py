"""A sign of life of one gate process, which shares its ports with others and so cannot be asked alone."""

import math
from contextlib import suppress
from pathlib import Path

_SILENT_SECONDS = 10.0
_START_SECONDS = 60.0  # until the first beat, on a busy machine
# Without a look of the supervisor for so long, the whole machine or container has stood still, and the gate with it.
_GAP_SECONDS = 5.0


class GateBeat:
    """A file whose time changes while the process's event loop runs. state: the file of ServerState, beside it."""

    def __init__(self, state: Path, pid: int) -> None:
        self._file = state.with_name(f"gate-{pid}.beat")
        self._seen: int | None = None
        self._silent_since = 0.0
        self._looked_at = -math.inf

    def beat(self) -> None:
        """Called by the gate several times a second."""
        self._file.touch()

    def is_silent(self, now: float) -> bool:
        """Whether the last beat was long ago. Call this several times a second. now: time.monotonic()."""
        seen: int | None = None  # it is still starting
        with suppress(FileNotFoundError):
            seen = self._file.stat().st_mtime_ns
        if seen != self._seen or now - self._looked_at > _GAP_SECONDS:
            self._silent_since = now
        self._seen, self._looked_at = seen, now
        return now - self._silent_since > (_START_SECONDS if seen is None else _SILENT_SECONDS)

    def remove(self) -> None:
        """The process has ended."""
        self._file.unlink(missing_ok=True)
