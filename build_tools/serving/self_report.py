"""What this server says of itself at /state: written by the supervisor, read by the gate."""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from build_tools.repository.registry import Registry
from build_tools.repository.replica_state import ReplicaState
from build_tools.serving.counted import Counted, read_counted
from build_tools.serving.replica.standing import Standing
from build_tools.serving.state import ServerState, self_report_file

_COUNT_EVERY = 1.0
_WEIGH_EVERY = 5.0  # it looks at every process


class SelfReport:
    """The file beside the server's state. `write` may be called from any thread, from one at a time."""

    def __init__(
        self,
        state_file: Path,
        metrics: Path,
        standing: Callable[[], Standing],
        memory: Callable[[], int],
    ) -> None:
        """metrics: the folder of prometheus_client's multiprocess mode. memory: bytes of all processes."""
        self._file = self_report_file(state_file)
        self._metrics = metrics
        self._standing = standing
        self._memory = memory
        # In containers host name and process id may be the same again after a restart, and counts begin at 0.
        self._server = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(2)}"
        self._counted = Counted()
        self._registry: Registry | None = None
        self._bytes = 0
        self._count_at = self._weigh_at = 0.0

    def count(self) -> None:
        """Counts again what takes a while to count, unless that was just done."""
        now = time.monotonic()
        if now >= self._count_at:
            self._count_at = now + _COUNT_EVERY
            try:
                self._counted = read_counted(self._metrics, self._registry)
            except Exception as error:  # a process that is just ending can leave half a file
                logging.getLogger(__name__).warning("what was counted cannot be read: %s", error)
        if now >= self._weigh_at:
            self._weigh_at = now + _WEIGH_EVERY
            self._bytes = self._memory()

    def write(self, state: ServerState) -> None:
        """Writes what is known now. Raises OSError if that is impossible."""
        standing, counted = self._standing(), self._counted
        self._registry = standing.registry
        said = ReplicaState(
            server=self._server,
            ready=state.ready,
            reason=state.reason,
            stopping=state.stopping,
            server_restarts=state.server_restarts,
            generation=standing.generation,
            sha256=standing.sha256,
            settled=standing.settled,
            behind=standing.behind,
            proposal=standing.proposal,
            tasks=state.tasks,
            requests=counted.requests,
            errors=counted.errors,
            memory_bytes=self._bytes,
            counts=counted.counts,
        )
        staged = self._file.with_suffix(".new")
        staged.write_text(said.model_dump_json(), encoding="utf-8")
        staged.replace(self._file)
