"""The servers of one client: whose turn it is, and who is left out for a while."""

import os
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from clients.address import Address
from clients.errors import SUSPECT_CONNECTION, Broken, Busy, DeadlinePassed, NotTaken
from clients.renewable import Renewable
from clients.resolution import has_name
from clients.retry_budget import RetryBudget
from espalier_errors import EspalierError

T = TypeVar("T")

_OUT_SECONDS = (1.0, 5.0)  # for the first failure; at most. Each one is drawn between half of it and all of it
_LOOK_UP_SECONDS = 30.0


class Server(Generic[T]):
    """One server. transport: how it is reached. failures: since it last answered. out_until: of time.monotonic()."""

    def __init__(self, address: Address, transport: Renewable[T]) -> None:
        self.address, self.transport = address, transport
        self.failures = 0
        self.out_until = 0.0


class Servers(Generic[T]):
    """Servers by turns, but for those that are left out. Threads can share it.

    A server is left out when it refuses as unavailable, cannot be reached, breaks a connection or lets a timeout pass;
    not when it is well and full, or others would get its load too. One caller then asks it whether it is ready, after a
    pause that is random, so that not all clients come back at the same moment. A lone server is never left out.

    open_transport, close_transport: as Renewable has them.
    """

    def __init__(
        self, addresses: Sequence[Address], open_transport: Callable[[Address], T], close_transport: Callable[[T], None]
    ) -> None:
        self.given = tuple(addresses)
        self._open, self._close = open_transport, close_transport
        self._look_up_at = 0.0 if any(map(has_name, self.given)) else float("inf")
        self._list = [self._server(address) for address in self.given]
        self._gone: list[Server[T]] = []  # a caller that has just picked one of them still uses it
        self._turn = random.randrange(len(self._list))  # not the first of the list for every client
        self._budget = RetryBudget()
        self._is_closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # a new one after a fork: another thread of the parent may have held the old one

    def __len__(self) -> int:
        return len(self._list)

    def must_look_up(self) -> bool:
        """Whether names are due to be looked up; true for one caller, who hands what was found to `replace`."""
        if time.monotonic() < self._look_up_at:  # the usual case, without the lock
            return False
        self._forget_the_parents()
        with self._lock:
            if time.monotonic() < self._look_up_at:
                return False
            self._look_up_at = time.monotonic() + random.uniform(0.5, 1.0) * _LOOK_UP_SECONDS
            return True

    def replace(self, addresses: Sequence[Address]) -> None:
        """Takes these servers from now on. Those that stay keep their connections. Does nothing once it is closed."""
        with self._lock:
            if self._is_closed:  # while the names were looked up
                return
            known = {server.address: server for server in self._list}
            gone, self._gone = self._gone, [one for address, one in known.items() if address not in addresses]
            self._list = [known.get(address) or self._server(address) for address in addresses]
        for server in gone:
            server.transport.close()

    def count_request(self) -> None:
        """Counts a request in the budget of retries."""
        self._forget_the_parents()
        with self._lock:
            self._budget.request()

    def may_retry(self) -> bool:
        """Takes one retry from the budget; False if it is used up."""
        with self._lock:
            return self._budget.take()

    def pick(self, tried: Collection[Server[T]]) -> tuple[Server[T], bool]:
        """Returns a server, and whether the caller must first ask it if it is ready, and tell `proved`.

        tried: those that this request has tried; they come last.
        """
        self._forget_the_parents()
        with self._lock:
            self._turn += 1
            count = len(self._list)
            if count == 1:
                return self._list[0], False
            now = time.monotonic()
            by_turns = [self._list[(self._turn + step) % count] for step in range(count)]
            fresh = [server for server in by_turns if server not in tried] or by_turns
            for server in fresh:
                if not server.failures:
                    return server, False
                if server.out_until <= now:
                    self._put_off(server)  # for the others, until this caller knows
                    return server, True
            return min(fresh, key=lambda server: server.out_until), False

    def proved(self, server: Server[T], ready: bool) -> None:
        """A server that was left out is ready, or is not."""
        if ready:
            with self._lock:
                server.failures = 0

    @contextmanager
    def connected(self, server: Server[T]) -> Iterator[T]:
        """Yields the server's transport, and replaces it if its connection seems to be lost, or mixes up answers."""
        with server.transport.use() as transport:
            try:
                yield transport
            except SUSPECT_CONNECTION:
                server.transport.renew(transport)
                raise
        self.answered(server)

    def answered(self, server: Server[T]) -> None:
        """A server answered a request."""
        if server.failures:
            self.proved(server, ready=True)

    def failed(self, server: Server[T], error: EspalierError) -> None:
        """Leaves a server out for a while, if the error is of a kind that others would meet, too."""
        if isinstance(error, Busy) or not isinstance(error, NotTaken | Broken | DeadlinePassed):
            return
        with self._lock:
            if not server.failures or server.out_until <= time.monotonic():  # not once for each request in flight
                self._put_off(server)

    def close(self) -> None:
        """Closes all connections, each when its last user has left."""
        self._is_closed, self._look_up_at = True, float("inf")
        for server in (*self._list, *self._gone):
            server.transport.close()

    def _server(self, address: Address) -> Server[T]:
        return Server(address, Renewable[T](lambda: self._open(address), self._close))

    @staticmethod
    def _put_off(server: Server[T]) -> None:
        first, most = _OUT_SECONDS
        seconds = min(most, first * 2.0**server.failures)
        server.failures = min(server.failures + 1, 10)
        server.out_until = time.monotonic() + random.uniform(0.5, 1.0) * seconds

    def _forget_the_parents(self) -> None:
        if os.getpid() != self._pid:
            self._start()
