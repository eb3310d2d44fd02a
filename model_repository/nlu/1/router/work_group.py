"""A group of work items on shared threads: items add further items, and the group ends when the last one has ended."""

import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Generic, TypeVar

from router.call_threads import CallThreads

Result = TypeVar("Result")


class AbandonedError(Exception):
    """Raised in an item that was ended from outside, so that it does nothing more."""


class Item:
    """A work item that runs. It ends when its function returns, or when somebody abandons it before."""

    def __init__(self, finish: Callable[[], None], replace: Callable[[], None]) -> None:
        self._finish = finish
        self._replace = replace
        self._lock = threading.Lock()
        self._has_ended = False

    def end(self) -> bool:
        """Ends the item, for which its group then waits no longer. Returns False if it had ended before."""
        with self._lock:
            if self._has_ended:
                return False
            self._has_ended = True
        self._finish()
        return True

    def abandon(self) -> None:
        """Ends the item from outside, and starts another thread in the place of its own."""
        if self.end():
            self._replace()


class WorkGroup(Generic[Result]):
    """Runs work items on threads that several groups share. Each item may call `add`, `put` and `item`."""

    def __init__(self, threads: CallThreads) -> None:
        self._threads = threads
        self._results: queue.SimpleQueue[Result | Exception | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._stopped = False
        self._running = threading.local()

    def results(self, work: Callable[..., None], *arguments: object) -> Iterator[Result]:
        """Runs the first item and all that follow from it. Yields each result as soon as an item puts it.

        Raises the first exception that an item raises, as RuntimeError if it is not an Exception. Once this ends, in
        whatever way, no item is running and none will start; those that were ended from outside may still wait for a
        dead process, and do nothing afterwards.
        """
        self.add(work, *arguments)
        result: Result | Exception | None = None
        try:
            while (result := self._results.get()) is not None:
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            # After an error, or when the reader leaves early, items that have not begun are skipped. Those that run are
            # waited for: they ask Triton about requests that are freed once they are answered.
            self._stopped = True
            while result is not None:
                result = self._results.get()

    def add(self, work: Callable[..., None], *arguments: object) -> None:
        """Submits an item. Call it from a running item: the group then cannot end before the new item has started."""
        with self._lock:
            self._unfinished += 1
        try:
            self._threads.submit(partial(self._do, work, *arguments))
        except BaseException:
            self._finish()
            raise

    def put(self, result: Result | Exception) -> None:
        """Hands a result to the reader, or an exception, which ends the group."""
        self._results.put(result)

    def item(self) -> Item:
        """Returns the item that runs in this thread."""
        item: Item = self._running.item
        return item

    def _do(self, work: Callable[..., None], *arguments: object) -> bool:
        """Runs an item. Returns whether it was abandoned, so that another thread has taken this one's place."""
        item = self._running.item = Item(self._finish, self._threads.replace)
        try:
            if not self._stopped:
                work(*arguments)
        except AbandonedError:
            pass
        except Exception as error:
            self._results.put(error)
        except BaseException as error:  # a panic in Rust code; if it were lost here, the reader would wait forever
            self._results.put(RuntimeError(f"{type(error).__name__}: {error}"))
        return not item.end()

    def _finish(self) -> None:
        with self._lock:
            self._unfinished -= 1
            finished = self._unfinished == 0
        if finished:
            self._results.put(None)
