"""A connection that many callers share, and that can be replaced while some of them still use it."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from clients.errors import RequestRejected

T = TypeVar("T")


class Renewable(Generic[T]):
    """Opens the resource at its first use, and again after a fork or a `renew`. Threads can share it.

    open_resource: makes it. close_resource: ends it, once it is replaced or closed and its last user has left.

    A process that was forked must not touch what its parent opened: both would read from one socket, and get each
    other's answers. So the child forgets it without closing it.
    """

    def __init__(self, open_resource: Callable[[], T], close_resource: Callable[[T], None]) -> None:
        self._open, self._close = open_resource, close_resource
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # a new one after a fork: another thread of the parent may have held the old one
        self._present: T | None = None
        self._users: Counter[int] = Counter()  # by id() of the resource

    @contextmanager
    def use(self) -> Iterator[T]:
        """Yields the resource. Raises RequestRejected if it was closed, and whatever opening it raises."""
        self._forget_the_parents()
        pid = self._pid
        with self._lock:
            if self._closed:
                raise RequestRejected("this client is closed: make a new one")
            if self._present is None:
                self._present = self._open()
            resource = self._present
            self._users[id(resource)] += 1
        try:
            yield resource
        finally:
            if os.getpid() == pid:
                self._leave(resource)

    def renew(self, resource: T) -> None:
        """Makes later users open a new resource, unless `resource` has been replaced already."""
        with self._lock:
            if self._present is resource:
                self._present = None

    def close(self) -> None:
        """Ends the resource once its last user has left. Later users get RequestRejected."""
        self._forget_the_parents()
        with self._lock:
            self._closed = True
            resource, self._present = self._present, None
            unused = resource is not None and not self._users[id(resource)]
        if resource is not None and unused:
            self._close(resource)

    def _leave(self, resource: T) -> None:
        with self._lock:
            self._users[id(resource)] -= 1
            done = not self._users[id(resource)] and self._present is not resource
            if not self._users[id(resource)]:
                del self._users[id(resource)]
        if done:
            self._close(resource)

    def _forget_the_parents(self) -> None:
        if os.getpid() != self._pid:
            self._start()
