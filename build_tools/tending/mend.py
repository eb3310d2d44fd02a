"""Mends what killed commands have left, and removes what no server needs any more, also when nobody publishes."""

import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from build_tools.publishing.registry_transitions import tidied
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.repository.locking import LOCK
from build_tools.repository.proposal import PROPOSAL, withdraw_proposal

_EVERY_SECONDS = 60.0


class Mending:
    """Settles a repository: at the start, now and then, and at once where a publisher has died."""

    def __init__(self, repository: Path, server: Server, report: Callable[[str], None]) -> None:
        self._repository = repository
        self._server = server
        self._report = report
        self._next = 0.0

    def look(self, can_agree: bool) -> None:
        """Does it if it is time. Not while another command changes the repository: that one does it by itself.

        can_agree: whether as many servers are ready as must agree to a change of registry.json. While they are not, and
        it is to be changed, only what a killed publisher has proposed is withdrawn: the rest would wait for them, and
        others for the lock.
        """
        if time.monotonic() < self._next and not (self._repository / PROPOSAL).exists():
            return
        lock = FileLock(self._repository / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
        try:
            served = ServedRepository(self._repository, self._server, self._report)
            if can_agree or tidied(served.registry) == served.registry:
                settle(served)
            else:
                withdraw_proposal(self._repository)
        finally:
            lock.release()
            self._next = time.monotonic() + _EVERY_SECONDS
