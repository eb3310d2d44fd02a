"""Notices at once that the process of a model has ended or was stopped; Triton takes a second for each call."""

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Collection

from router.model_processes import ModelProcesses

Called = tuple[str, int]  # the Triton model and its version

_LOOK_SECONDS = 0.25  # how often processes are looked for, and stopped ones noticed; ended ones are noticed at once


class ProcessWatch:
    """Watches the processes of the models that were added, in a thread of its own.

    report: is called with each model and version of which the last process has ended or stopped. waiting: returns those
    for whose answer somebody waits; only these are looked at for having been stopped.
    """

    def __init__(
        self, processes: ModelProcesses, report: Callable[[Called], None], waiting: Callable[[], Collection[Called]]
    ) -> None:
        self._processes = processes
        self._report = report
        self._waiting = waiting
        self._wanted: set[Called] = set()
        self._new: set[Called] = set()
        self._seen: set[Called] = set()
        self._lock = threading.Lock()
        self._poll = select.poll()
        self._watched: dict[int, tuple[int, Called]] = {}  # by pidfd: the process id, and what it holds
        self._thread: threading.Thread | None = None

    def add(self, called: Called) -> None:
        """Watches the processes of this version from now on. Does nothing if they are watched already."""
        if called in self._wanted:
            return
        with self._lock:
            self._wanted.add(called)
            self._new.add(called)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="process watch", daemon=True)
                self._thread.start()

    def forget(self, called: Called) -> None:
        """Looks for the processes of this version anew when it is added again."""
        with self._lock:
            self._wanted.discard(called)

    def has_seen(self, called: Called) -> bool:
        """Returns whether a process of this version has ever been found: if not, Triton runs it within its own."""
        return called in self._seen

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except Exception:  # without this thread, dead processes are still noticed, later, by the calls that fail
                logging.getLogger(__name__).exception("model processes could not be watched")
                time.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        with self._lock:
            new, self._new = self._new, set()
        for called in new:
            self._find(called)
        for descriptor, _ in self._poll.poll(_LOOK_SECONDS * 1000):
            self._ended(descriptor)
        for called in self._waiting():
            if not self._runs(called):
                self._find(called)  # as in _ended: the last one may have ended since the poll
                if not self._runs(called):
                    self._report(called)

    def _runs(self, called: Called) -> bool:
        """Whether a process of this version runs, of those that are watched; True if none was ever found."""
        pids = [pid for pid, one in self._watched.values() if one == called]
        return not pids or any(self._processes.runs(pid) for pid in pids)

    def _find(self, called: Called) -> None:
        known = {pid for pid, _ in self._watched.values()}
        for pid in self._processes.find(*called):
            if pid not in known:
                try:
                    descriptor = os.pidfd_open(pid)
                except OSError:  # it has ended, or the kernel or a sandbox has no pidfds
                    continue
                self._watched[descriptor] = (pid, called)
                self._seen.add(called)
                self._poll.register(descriptor, select.POLLIN)

    def _ended(self, descriptor: int) -> None:
        _, called = self._watched.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        self._find(called)  # a model that is loaded anew has another process before its last one ends
        if all(one != called for _, one in self._watched.values()):
            self._report(called)
