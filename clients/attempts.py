"""One request's attempts: which server is asked next, and whether it may be asked at all."""

import random
import time
from typing import Generic, TypeVar

from clients.errors import NotTaken, ServerUnavailable
from clients.servers import Server, Servers

T = TypeVar("T")

_RETRIES = 3  # where there are several servers
_PAUSE_SECONDS = 0.025  # before another server is asked; twice as long each time
_PAUSE_AT_THE_SAME = 0.2  # before one that refused is asked again


class Attempts(Generic[T]):
    """retries: how often the request may be sent again; None means 3 among several servers, and 0 where there is one.

    timeout: seconds after which it is not sent again.
    """

    def __init__(self, servers: Servers[T], timeout: float, retries: int | None) -> None:
        self._servers, self._timeout = servers, timeout
        self._left = retries
        self._tried: list[Server[T]] = []
        self._begin = time.monotonic()
        servers.count_request()

    @property
    def seconds_left(self) -> float:
        """What is left of the timeout: looking names up, asking whether a server is ready and pauses use it, too."""
        return self._timeout - (time.monotonic() - self._begin)

    def pick(self) -> tuple[Server[T], bool]:
        """See Servers.pick."""
        return self._servers.pick(self._tried)

    def again_after(self, server: Server[T], error: ServerUnavailable, has_begun: bool = False) -> float:
        """Returns the seconds to wait before the next attempt. Raises `error` if there may be none.

        has_begun: whether the caller has got a part of the answer.
        """
        self._servers.failed(server, error)
        self._tried.append(server)
        if self._left is None:
            self._left = _RETRIES if len(self._servers) > 1 else 0
        pause = self._pause()
        too_late = time.monotonic() + pause - self._begin >= self._timeout
        is_free = isinstance(error, NotTaken) and not has_begun
        if not is_free or not self._left or too_late or not self._servers.may_retry():
            raise error
        self._left -= 1
        return pause

    def _pause(self) -> float:
        has_others = len(set(self._tried)) < len(self._servers)
        longest = (_PAUSE_SECONDS if has_others else _PAUSE_AT_THE_SAME) * 2.0 ** (len(self._tried) - 1)
        return random.uniform(0, longest)
