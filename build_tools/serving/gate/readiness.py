"""Whether the server takes requests now: what the supervisor says, and whether this process is ending."""

import logging
from pathlib import Path

from build_tools.repository.replica_state import ReplicaState
from build_tools.serving.gate.refusal import Code, RefusedError
from build_tools.serving.gate.watched_file import WatchedFile
from build_tools.serving.state import ServerState, self_report_file

# Clients know a server that is being stopped by these words, which are Triton's.
_STOPPING = "Server is stopping: ask again, or ask another server."
_RETRY_SECONDS = 1.0


class Readiness:
    """Of one gate process. `look` must be called a few times a second."""

    def __init__(self, file: Path) -> None:
        self._file: WatchedFile[ServerState | None] = WatchedFile(
            file,
            ServerState.read,
            None,
            lambda error: logging.getLogger(__name__).warning("the server's state cannot be read: %s", error),
        )
        self._self_report = self_report_file(file)
        self._ends = False

    def look(self) -> None:
        """Reads the state again if it has changed."""
        self._file.look()

    def end(self) -> None:
        """Refuses new requests from now on."""
        self._ends = True

    @property
    def is_live(self) -> bool:
        """False if the supervisor has said nothing for long: a platform should start all of it again."""
        state = self._file.value
        return state is None or state.is_current

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken."""
        return self._reason() is None

    def has_task(self, task: str) -> bool:
        """Whether requests are taken, and the task's live version answers."""
        state = self._file.value
        return self.is_ready and state is not None and state.tasks.get(task, False)

    def self_report(self) -> ReplicaState:
        """Returns what the supervisor says of this server. Raises RefusedError (UNAVAILABLE) before it has done so."""
        try:
            said = ReplicaState.model_validate_json(self._self_report.read_bytes())
        except FileNotFoundError:
            raise RefusedError(Code.UNAVAILABLE, "the server is not ready yet: ask again.", _RETRY_SECONDS) from None
        reason = self._reason()  # of this process, which may know less, or more: that the supervisor is silent
        if reason is None or not said.ready:
            return said
        return said.model_copy(update={"ready": False, "reason": reason})

    def check(self) -> None:
        """Raises RefusedError (UNAVAILABLE) if requests are not taken."""
        reason = self._reason()
        if reason is not None:
            raise RefusedError(Code.UNAVAILABLE, reason, _RETRY_SECONDS)

    def check_not_stopping(self) -> None:
        """Raises RefusedError (UNAVAILABLE) if the server is being stopped. For those who heal or change it."""
        state = self._file.value
        if self._ends or (state is not None and state.stopping):
            raise RefusedError(Code.UNAVAILABLE, _STOPPING, _RETRY_SECONDS)

    def _reason(self) -> str | None:
        state = self._file.value
        if self._ends or (state is not None and state.stopping):
            return _STOPPING
        if state is None:
            return "the server is not ready yet: ask again."
        if not state.is_current:
            return (
                "the server cannot say whether it is well (its supervisor is silent): ask again, or ask another server."
            )
        if not state.ready:
            return f"the server is not ready ({state.reason or 'it is starting'}): ask again."
        return None
