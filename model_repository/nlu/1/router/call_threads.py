"""The threads in which a router calls trunk and branches."""

import queue
import threading
from collections.abc import Callable

# Returns True if another thread has taken the place of the one that it ran in.
Call = Callable[[], object]


class CallThreads:
    """Runs calls, in the order in which they come, at most `count` at once that somebody waits for.

    A call of a dead process ends a second or more after everybody has turned to something else. Two branches that die
    at once would hold all threads for so long, and with them the tasks that are well.
    """

    def __init__(self, count: int) -> None:
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._count = count
        for _ in range(count):
            self.replace()

    def submit(self, call: Call) -> None:
        """Runs the call as soon as a thread is free. It must not raise."""
        self._calls.put(call)

    def replace(self) -> None:
        """Starts a thread in the place of one whose call nobody waits for any more; that call must return True."""
        threading.Thread(target=self._run, name="call", daemon=True).start()

    def close(self) -> None:
        """Ends the threads once they have nothing more to do."""
        for _ in range(self._count):
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            if call() is True:
                return
