"""A sign of life of one gate process, which shares its ports with others and so cannot be asked alone."""

from pathlib import Path

_SILENT_SECONDS = 10.0


class GateBeat:
    """A file whose time changes while the process's event loop runs. state: the file of ServerState, beside it."""

    def __init__(self, state: Path, pid: int) -> None:
        self._file = state.with_name(f"gate-{pid}.beat")
        self._seen = -1
        self._seen_at = 0.0

    def beat(self) -> None:
        """Called by the gate several times a second."""
        self._file.touch()

    def is_silent(self, now: float) -> bool:
        """Called by the supervisor: whether there was no beat for long. now: time.monotonic()."""
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            changed = -1  # it is still starting
        if changed != self._seen or changed == -1:
            self._seen, self._seen_at = changed, now
        return now - self._seen_at > _SILENT_SECONDS

    def remove(self) -> None:
        """The process has ended."""
        self._file.unlink(missing_ok=True)
